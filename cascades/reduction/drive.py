"""How spikes reach calcium: a calcium generator put before a clamped model, or the spine itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cascades.compiler.compiled import CompiledModel
from cascades.errors import RuleError
from cascades.reduction.answers import answers
from cascades.reduction.cut import POST, PRE, driven, keep
from cascades.reduction.families import Case, training
from cascades.reduction.rule import CalciumTrace
from cascades.reduction.states import RestingStates
from cascades.simulate import simulate
from cascades.solvers import Solver

# Decay between that of NMDA-receptor calcium and of a back-propagating action potential (Sabatini,
# Oertner & Svoboda 2002); delay of the NMDA current's rise.  Assumed.
DECAY, DELAY = 0.05, 0.01
PRE_TO_POST = 0.75  # of the jumps; assumed
PROBES = 10  # trains to which the trace of a spine is fitted
PROBE_TIME = 6.0  # [s] of each


@dataclass(frozen=True, eq=False)
class Drive:
    """The model that spikes drive, its DOWN and UP states (shape (2, n)), and the calcium trace that
    rules use; `trace_r2` says how well the trace follows the model's calcium (1 if it is that)."""

    model: CompiledModel
    initial: np.ndarray
    trace: CalciumTrace
    trace_r2: float
    delay: float
    ports: tuple[str, str] = (PRE, POST)


def generated(clamped: CompiledModel, calcium: str, states: RestingStates, trace: CalciumTrace) -> Drive:
    """Spikes make calcium jump and decay as `trace` says."""
    model = CompiledModel(driven(clamped.equations, calcium, trace))
    initial = np.column_stack([np.array([states.down, states.up]), np.zeros(2)])
    return Drive(model, initial, trace, 1.0, trace.delay)


def calibrated_trace(
    clamped: CompiledModel,
    calcium: str,
    weight: str,
    states: RestingStates,
    *,
    solver: str | Solver,
    rtol: float,
) -> CalciumTrace:
    """Jumps of such a size that half of the random trains move a DOWN synapse UP (or, with one resting
    state, far from rest), as then random trains tell rules apart best.  Where no size does that,
    the one that leaves outcomes from DOWN and UP as mixed as they can be."""
    base = max(states.potentiates - states.rest, 1e-12)
    trace = CalciumTrace(states.rest, PRE_TO_POST * base, base, DECAY, DELAY)
    drive = generated(clamped, calcium, states, trace)
    cases = training(12, seed=11)
    sizes = np.geomspace(0.25, 32.0, 8)
    scaled = [Case("", "", c.pre, c.post, c.scale * size) for size in sizes for c in cases]
    found = answers(
        drive.model, weight, states, drive.initial, scaled, 60.0, delay=DELAY, solver=solver, rtol=rtol
    )
    level, threshold = (found.final, states.rho_star) if states.is_bistable else (found.end, 0.4)
    up = np.nanmean((level > threshold).reshape(sizes.size, -1, 2), axis=1)
    share = np.maximum.accumulate(up[:, 0])
    if share[0] < 0.5 <= share[-1]:
        size = float(np.exp(np.interp(0.5, share, np.log(sizes))))
    else:
        size = float(sizes[np.argmax((up * (1.0 - up)).sum(axis=1))])
    return CalciumTrace(states.rest, PRE_TO_POST * base * size, base * size, DECAY, DELAY)


def own(compiled: CompiledModel, calcium: str, weight: str, states: RestingStates, clamped: CompiledModel,
        *, solver: str | Solver, rtol: float) -> Drive:  # fmt: skip
    """The spine makes its own calcium; the trace is fitted to it."""
    equations = keep(compiled.equations, [weight, calcium])
    model = CompiledModel(equations)
    ports = _ports(compiled, calcium)
    start = simulate(model, [0.0, 50.0], solver=solver, rtol=rtol).values[0, -1]
    initial = np.array([start, start])
    for name, position in clamped.state_index.items():
        initial[:, model.state_index[name]] = [states.down[position], states.up[position]]
    trace, r2 = _fitted_trace(
        keep_calcium(compiled, calcium), calcium, states.rest, ports, solver=solver, rtol=rtol
    )
    return Drive(model, initial, trace, r2, 0.0, ports)


def keep_calcium(compiled: CompiledModel, calcium: str) -> CompiledModel:
    """Only what calcium depends on."""
    return CompiledModel(keep(compiled.equations, [calcium]))


def _ports(compiled: CompiledModel, calcium: str) -> tuple[str, str]:
    """The ports of presynaptic and postsynaptic spikes.  Raises RuleError if the model has none."""
    spiked = [port.name for port in compiled.equations.ports if port.kind == "spike"]
    pre = next((name for name in (PRE, "pre") if name in spiked), None)
    post = next((name for name in (POST, "post") if name in spiked), None)
    if pre is None or post is None:
        raise RuleError(
            calcium,
            "it is not an input, and the model has no spike ports 'glutamate' and 'bap' (or 'pre' and "
            "'post') that move it; declare them, or name the calcium input of a part",
        )
    return pre, post


def _fitted_trace(
    upstream: CompiledModel,
    calcium: str,
    rest: float,
    ports: tuple[str, str],
    *,
    solver: str | Solver,
    rtol: float,
) -> tuple[CalciumTrace, float]:
    """The exponential trace that follows calcium best in random trains, and its R2.

    The jumps are linear in calcium and follow from the decay time and the delay, which are searched.
    """
    from scipy.optimize import minimize

    times = np.arange(0.0, PROBE_TIME, 0.002)
    cases = [_begun(case) for case in training(PROBES, seed=5)]
    start = simulate(upstream, [0.0, 50.0], solver=solver, rtol=rtol).values[0, -1]
    runs = simulate(
        upstream,
        times,
        protocol=[case.protocol(ports=ports) for case in cases],
        initial=dict(zip(upstream.state_names, start, strict=True)),
        solver=solver,
        rtol=min(rtol, 1e-8),
    )
    true = np.asarray(runs[calcium])
    excess = (true - rest).ravel()

    def jumps(x: np.ndarray) -> tuple[np.ndarray, float]:
        tau, delay = float(np.exp(x[0])), max(float(x[1]), 0.0)
        units = [CalciumTrace(0.0, 1.0, 0.0, tau, delay), CalciumTrace(0.0, 0.0, 1.0, tau, delay)]
        columns = np.array([[_scaled_trace(unit, case, times) for case in cases] for unit in units])
        matrix = columns.reshape(2, -1).T
        found = np.maximum(np.linalg.lstsq(matrix, excess, rcond=None)[0], 0.0)
        return found, float(np.sum((matrix @ found - excess) ** 2))

    grid = [
        (np.log(tau), delay) for tau in (0.01, 0.02, 0.04, 0.08, 0.16) for delay in (0.0, 0.005, 0.015, 0.04)
    ]
    first = min(grid, key=lambda x: jumps(np.array(x))[1])
    simplex = np.array([first, (first[0] + 0.2, first[1]), (first[0], first[1] + 0.003)])
    options = {"initial_simplex": simplex, "maxfev": 160, "xatol": 1e-10, "fatol": 1e-16}
    x = minimize(lambda x: jumps(x)[1], first, method="Nelder-Mead", options=options).x
    (pre, post), error = jumps(x)
    r2 = 1.0 - error / float(np.sum((true - true.mean()) ** 2))
    return CalciumTrace(rest, float(pre), float(post), float(np.exp(x[0])), max(float(x[1]), 0.0)), r2


def _begun(case: Case) -> Case:
    keep_pre, keep_post = ([t for t in train if t < PROBE_TIME] for train in (case.pre, case.post))
    return Case("", "", tuple(keep_pre), tuple(keep_post), case.scale)


def _scaled_trace(trace: CalciumTrace, case: Case, times: np.ndarray) -> np.ndarray:
    seen = trace.at(times, np.array(case.pre), np.array(case.post))
    return np.asarray(trace.rest + case.scale * (seen - trace.rest))


def largest_calcium(cases: Sequence[Case], trace: CalciumTrace) -> float:
    """The largest calcium [uM] that the trace has in any case."""
    highest = trace.rest
    for case in cases:
        spikes, sizes = trace.jumps(np.array(case.pre), np.array(case.post))
        excess, last = 0.0, 0.0
        for t, size in zip(spikes, sizes, strict=True):
            excess = excess * np.exp(-(t - last) / trace.tau) + case.scale * size
            highest, last = max(highest, trace.rest + excess), t
    return float(highest)
