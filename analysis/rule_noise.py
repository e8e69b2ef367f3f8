"""A rule remembers as long as its molecules do.

Claim: sigma, derived from the molecules of the tristable synapse of Pi & Lisman (2008), falls with the square
root of their number; and a network whose synapses switch with the derived mean residence times forgets as
random paths of the molecules themselves do, which were run with other random numbers.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

import cascades
from cascades.network import (
    LeakyIntegrateAndFire,
    Network,
    Pairs,
    Population,
    ReplayedSource,
    Synapses,
    run_network,
)
from cascades.network.plasticity import SpontaneousSwitching
from cascades.noise import jump_process, random_paths
from cascades.plot import COLOURS, new_figure
from cascades.reduction import CalciumRule, RuleNoise, derive_noise
from cascades.reduction.noise import whole_counts
from cascades.units import MOLECULES_PER_ZMOL

MODEL, CALCIUM, WEIGHT, TOTAL = "switch_pi_2008", "Ca", "phosphorylation", "Kt"
MOLECULES = (12, 16, 20, 24)
SYNAPSES = 4000
SLOPE = -0.5, 0.1  # of ln sigma against ln molecules: law and tolerance
FORGETS_ALIKE = 0.08  # share of synapses by which network and molecules may differ at any time


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    compiled = cascades.compile_model(cascades.load_model(MODEL))
    ladder = cascades.derive_rule(compiled, calcium=CALCIUM, weight=WEIGHT, budget="quick", seed=options.seed)
    rule = ladder["step thresholds, cubic well"].rule
    per_volume = compiled.default_values[TOTAL] * MOLECULES_PER_ZMOL
    counts = np.array(MOLECULES[:3] if options.quick else MOLECULES)
    found, curves = [], []
    for count in counts:
        noise = derive_noise(
            compiled, rule, volume=count / per_volume, members=options.members, seed=options.seed
        )
        print(f"{count} molecules of each kinase\n{noise}")
        found.append(noise)
        curves.append(_forgetting(compiled, noise.applied(rule), noise, options))
    slope = float(np.polyfit(np.log(counts), np.log([n.sigma for n in found]), 1)[0])
    gap = max(float(np.abs(paths - network).max()) for _, paths, network in curves)
    verdicts = (abs(slope - SLOPE[0]) <= SLOPE[1], gap <= FORGETS_ALIKE)
    print(f"\nsigma goes with molecules to the power {slope:.3f}; target {SLOPE[0]} +- {SLOPE[1]}:"
          f" {_word(verdicts[0])}")  # fmt: skip
    print(f"largest difference of the share still UP, network against molecules: {gap:.3f};"
          f" target {FORGETS_ALIKE}: {_word(verdicts[1])}")  # fmt: skip
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "rule_noise.png"
    _figure(counts, found, curves, slope).savefig(path, dpi=150)
    print(f"figure: {path}")
    return 0 if all(verdicts) else 1


def _forgetting(
    compiled: Any, rule: CalciumRule, noise: RuleNoise, options: argparse.Namespace
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times [s], and the shares of synapses still UP: of random paths, and of a silent network."""
    times = np.linspace(0.0, 2.0 * noise.up.mean, 21)
    at_rest = {CALCIUM: rule.calcium.rest}
    *_, up = sorted(cascades.equilibria(compiled, values=at_rest), key=lambda s: float(s[WEIGHT]))
    size = {"spine": noise.volume}
    state = np.array([up[name] for name in compiled.state_names])
    paths = random_paths(
        jump_process(compiled), times, values={**at_rest, **size}, members=2 * options.members,
        initial=whole_counts(compiled, state, size), seed=options.seed + 1000,
    )  # fmt: skip
    active, idle = (paths.values[:, :, paths.names.index(n)] for n in ("K", "K_inactive"))
    down_weight, up_weight = rule.provenance["down"], rule.provenance["up"]
    efficacy = (active / (active + idle) - down_weight) / (up_weight - down_weight)
    mechanism = SpontaneousSwitching(
        mean_down=1e3 * noise.down.mean, mean_up=1e3 * noise.up.mean, interval=1e3 * times[1] / 10.0
    )
    every = np.arange(SYNAPSES)
    network = Network(
        [
            Population("in", SYNAPSES, ReplayedSource(np.zeros(0), np.zeros(0, int))),
            Population("out", 1, LeakyIntegrateAndFire()),
        ],
        [
            Synapses("in", "out", Pairs(every, 0 * every), 0.0, 20.0, plastic=True, efficacy=1.0),
        ],
        rule, [mechanism], dt=10.0,
    )  # fmt: skip
    run = run_network(network, 1e3 * times[-1], seed=options.seed, read_every=1e3 * times[1])
    (shares,) = run.mean_efficacy.values()  # every efficacy is 0 or 1
    read = np.interp(times, np.append(0.0, run.times / 1e3), np.append(1.0, shares))
    return times, (efficacy > rule.rho_star).mean(axis=0), read


def _word(holds: bool) -> str:
    return "holds" if holds else "MISSED"


def _figure(counts: np.ndarray, found: list[RuleNoise], curves: list[Any], slope: float) -> Any:
    figure, (left, right) = new_figure(1, 2, width=8.0, height=3.2)
    sigma = np.array([n.sigma for n in found])
    spread = np.array([n.factor for n in found])
    left.errorbar(counts, sigma, [sigma - sigma / spread, sigma * spread - sigma], fmt="o")
    left.plot(counts, sigma.mean() * (counts / np.exp(np.log(counts).mean())) ** slope, lw=1)
    left.set(xscale="log", yscale="log", xlabel="molecules of each kinase", ylabel="sigma of the rule")
    left.set_xticks(counts, [str(c) for c in counts])
    left.minorticks_off()
    for colour, count, (times, paths, network) in zip(COLOURS, counts, curves, strict=False):
        right.plot(times, network, color=colour, label=f"{count} molecules")
        right.plot(times, paths, "o", color=colour, ms=3)
    right.set(xscale="log", xlim=(1.0, None), ylim=(0, 1.02), xlabel="time [s]", ylabel="share still UP")
    right.set_title("lines: network, points: molecules", fontsize=9)
    right.legend()
    return figure


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m analysis rule_noise", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer sizes")
    parser.add_argument("--members", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out"))
    return parser.parse_args(arguments)
