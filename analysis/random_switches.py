"""A thousand random CaMKII switches: is every branch found, and is no label spurious?

Claim: over random parameter sets of the Graupner-Brunel (2007) ring every closed branch, and every
other, has an even number of folds and no other special point; at random cuts the equilibria on the
branches, those of `equilibria`, and the roots of the model reduced to one equation by hand agree.

The reduction: at rest PP1 is explicit in Ca, and for a given rate k of dephosphorylation the fourteen
patterns of the ring are a linear system, so that k = k12 PP1 / (KM + S(k)) is all that is left.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import brentq

import cascades
from cascades.continuation import Branch, Problem, as_problem, branches
from cascades.continuation.diagram import crossings
from cascades.continuation.equilibria import all_roots
from cascades.continuation.scaled import make_axis
from cascades.plot import new_figure

VARIED = ("k12", "KM", "PP10", "K5", "CaM", "kcan", "kpka", "b0i")
SPREAD = 0.3  # of the logarithms
CALCIUM = (0.02, 2.0)  # uM
CUTS, CUT_RANGE = 10, (0.021, 1.9)
SAME = 1e-7  # relative, of phosphorylated subunits
SCAN = 1500  # points of the scan for sign changes of the reduced equation

SITES = np.array([0, 1, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 5, 6.0])  # phosphorylated subunits of each pattern
# from, to, how often: a for a subunit whose neighbour is not phosphorylated, b for one whose is
PHOSPHORYLATED = (
    (0, 1, 6, 0), (1, 2, 1, 1), (1, 3, 2, 0), (1, 4, 1, 0), (2, 5, 1, 1), (2, 6, 1, 0), (2, 7, 1, 0),
    (3, 5, 0, 1), (3, 6, 1, 0), (3, 7, 0, 1), (3, 8, 1, 0), (4, 6, 0, 2), (4, 7, 2, 0), (5, 9, 1, 1),
    (5, 10, 1, 0), (6, 9, 0, 1), (6, 10, 1, 0), (6, 11, 0, 1), (7, 9, 0, 1), (7, 10, 0, 1), (7, 11, 1, 0),
    (8, 10, 0, 3), (9, 12, 1, 1), (10, 12, 0, 2), (11, 12, 0, 2), (12, 13, 0, 1),
)  # fmt: skip
DEPHOSPHORYLATED = (
    (1, 0, 1), (2, 1, 2), (3, 1, 2), (4, 1, 2), (5, 2, 2), (5, 3, 1), (6, 2, 1), (6, 3, 1), (6, 4, 1),
    (7, 2, 1), (7, 3, 1), (7, 4, 1), (8, 3, 3), (9, 5, 2), (9, 6, 1), (9, 7, 1), (10, 5, 1), (10, 6, 1),
    (10, 7, 1), (10, 8, 1), (11, 6, 2), (11, 7, 2), (12, 9, 2), (12, 10, 2), (12, 11, 1), (13, 12, 6),
)  # fmt: skip


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    problem = as_problem(cascades.compile_model(cascades.load_model("camkii_graupner_2007")))
    count = 20 if options.quick else options.sets
    counts: dict[int, int] = {}
    wrong: list[str] = []
    for seed in range(options.first, options.first + count):
        found, complaints = check(problem, seed)
        wrong += complaints
        folds = sum(len(branch.of_kind("fold")) for branch in found)
        counts[folds] = counts.get(folds, 0) + 1
        for complaint in complaints:
            print(complaint, flush=True)
        if (seed + 1 - options.first) % 50 == 0:
            print(f"{seed + 1 - options.first} sets, {len(wrong)} complaints", flush=True)
    print("\nfolds of all branches   sets")
    for folds, sets in sorted(counts.items()):
        print(f"{folds:>21}{sets:>7}")
    print(f"\n{count} sets, {CUTS} cuts each: {len(wrong)} complaints")
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "random_switches.png"
    _figure(counts).savefig(path, dpi=150)
    print(f"figure: {path}")
    return 0 if not wrong else 1


def check(problem: Problem, seed: int, cuts: int = CUTS) -> tuple[list[Branch], list[str]]:
    """The branches of a random switch, and a sentence for each label or equilibrium that is wrong."""
    rng = np.random.default_rng(seed)
    defaults = problem.values()
    values = {name: defaults[problem.index(name)] * np.exp(SPREAD * rng.normal()) for name in VARIED}
    found = branches(problem, "Ca", CALCIUM, values=values)
    wrong = [f"set {seed}: {sentence}" for branch in found for sentence in _labels(branch)]
    axis = make_axis(problem, "Ca", CALCIUM, "auto")
    q = problem.values(values)
    for calcium in np.exp(rng.uniform(*np.log(CUT_RANGE), cuts)):
        q[axis.k] = calcium
        exact = reduced_roots(dict(zip(problem.parameter_names, q.tolist(), strict=True)))
        on_branches = [x for branch in found for x in crossings(branch, axis, calcium)]
        for name, states in (("branches", on_branches), ("equilibria", all_roots(problem, q))):
            S = sorted(float(problem.observe("S", x, q)) for x in states)
            if len(S) != len(exact) or not np.allclose(S, exact, rtol=SAME, atol=0.0):
                wrong.append(f"set {seed}, Ca = {calcium:.6g}: {name} have S = {S}, the reduction {exact}")
    return found, wrong


def _labels(branch: Branch) -> list[str]:
    folds = len(branch.of_kind("fold"))
    sentences = list(branch.dropped)
    if folds % 2:
        sentences.append(f"a branch has {folds} folds")
    if len(branch.special_points) != folds:
        kinds = {point.kind for point in branch.special_points} - {"fold"}
        sentences.append(f"a branch has {', '.join(sorted(kinds))}")
    return sentences


def reduced_roots(v: Mapping[str, float]) -> list[float]:
    """Phosphorylated subunits S [uM] of all equilibria, from the reduced equation."""
    a, b, pp1 = _inputs(v)
    most = 6.0 * v["b0i"]
    low, high = np.log(v["k12"] * pp1 / (v["KM"] + most)), np.log(v["k12"] * pp1 / v["KM"])

    def gap(log_k: Any) -> Any:
        return log_k - np.log(v["k12"] * pp1) + np.log(v["KM"] + _subunits(a, b, np.exp(log_k), v["b0i"]))

    grid = np.linspace(low - 0.01, high + 0.01, SCAN)
    values = gap(grid)
    places = np.flatnonzero(values[:-1] * values[1:] < 0.0)
    roots = [brentq(lambda x: float(gap(np.array(x))), grid[i], grid[i + 1], xtol=1e-15) for i in places]
    return sorted(float(_subunits(a, b, np.exp(np.array(root)), v["b0i"])) for root in roots)


def _inputs(v: Mapping[str, float]) -> tuple[float, float, float]:
    """The two rates of phosphorylation [1/s] and free PP1 [uM] at rest."""
    ca = v["Ca"]
    steps = v["L4"] / ca, v["L3"] * v["L4"] / ca**2, v["L2"] * v["L3"] * v["L4"] / ca**3
    c = v["CaM"] / (1.0 + sum(steps) + v["L1"] * v["L2"] * v["L3"] * v["L4"] / ca**4)
    share = c / (v["K5"] + c)
    pka = v["kpka0"] + v["kpka"] / (1.0 + (v["Kdpka"] / c) ** v["npka"])
    can = v["kcan0"] + v["kcan"] / (1.0 + (v["Kdcan"] / c) ** v["ncan"])
    pp1 = v["km11"] * v["PP10"] / (v["k11"] * pka * v["I10"] / can + v["km11"])
    return v["k6"] * share**2, v["k7"] * share, pp1


def _subunits(a: float, b: float, k: np.ndarray, rings: float) -> np.ndarray:
    """S for rates of dephosphorylation k, shape of k."""
    matrix = np.zeros((*k.shape, 14, 14))
    moves = [(i, j, np.asarray(m * a + n * b)) for i, j, m, n in PHOSPHORYLATED]
    moves += [(i, j, n * k) for i, j, n in DEPHOSPHORYLATED]
    for i, j, rate in moves:
        matrix[..., j, i] += rate
        matrix[..., i, i] -= rate
    matrix[..., 0, :] = 1.0
    right = np.zeros((*k.shape, 14, 1))
    right[..., 0, 0] = rings
    solved: np.ndarray = np.linalg.solve(matrix, right)[..., 0] @ SITES
    return solved


def _figure(counts: Mapping[int, int]) -> Any:
    figure, axes = new_figure(width=4.5, height=3.2)
    folds = sorted(counts)
    axes.bar([str(n) for n in folds], [counts[n] for n in folds], color="#5a7d9a")
    axes.set(xlabel="folds of all branches", ylabel="random switches")
    return figure


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m analysis random_switches", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="20 sets")
    parser.add_argument("--sets", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="seed of the first set")
    parser.add_argument("--out", type=Path, default=Path("out"))
    return parser.parse_args(arguments)
