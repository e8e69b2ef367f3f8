"""How spikes reach calcium: a calcium generator put before a clamped model, or the spine itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cascades.compiler.compiled import CompiledModel
from cascades.errors import RuleError
from cascades.reduction.answers import answers
from cascades.reduction.cut import PRE, driven, keep
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
    state, halfway): smaller or larger ones would tell rules apart less."""
    base = max(states.potentiates - states.rest, 1e-12)
    trace = CalciumTrace(states.rest, PRE_TO_POST * base, base, DECAY, DELAY)
    drive = generated(clamped, calcium, states, trace)
    cases = training(12, seed=11)
    sizes = np.geomspace(0.5, 32.0, 7)
    scaled = [Case("", "", c.pre, c.post, c.scale * size) for size in sizes for c in cases]
    found = answers(
        drive.model,
        weight,
        states,
        drive.initial[[0, 0]],
        scaled,
        60.0,
        delay=DELAY,
        solver=solver,
        rtol=rtol,
    )
    level = found.final if states.is_bistable else found.end
    threshold = states.rho_star if states.is_bistable else 0.4
    share = np.nanmean(level[:, 0].reshape(sizes.size, -1) > threshold, axis=1)
    size = float(np.exp(np.interp(0.5, np.maximum.accumulate(share), np.log(sizes))))
    return CalciumTrace(states.rest, PRE_TO_POST * base * size, base * size, DECAY, DELAY)


def own(compiled: CompiledModel, calcium: str, weight: str, states: RestingStates, clamped: CompiledModel,
        *, solver: str | Solver, rtol: float) -> Drive:  # fmt: skip
    """The spine makes its own calcium; the trace is fitted to it."""
    equations = keep(compiled.equations, [weight, calcium])
    model = CompiledModel(equations)
    missing = {PRE} - {port.name for port in equations.ports if port.kind == "spike"}
    spiked = [port.name for port in compiled.equations.ports if port.kind == "spike"]
    if not spiked and missing:
        return _without_ports(model, calcium, states, clamped)
    start = simulate(model, [0.0, 50.0], solver=solver, rtol=rtol).values[0, -1]
    initial = np.array([start, start])
    for name, position in clamped.state_index.items():
        initial[:, model.state_index[name]] = [states.down[position], states.up[position]]
    trace, r2 = _fitted_trace(keep_calcium(compiled, calcium), calcium, states.rest, solver=solver, rtol=rtol)
    return Drive(model, initial, trace, r2, 0.0)


def keep_calcium(compiled: CompiledModel, calcium: str) -> CompiledModel:
    """Only what calcium depends on."""
    return CompiledModel(keep(compiled.equations, [calcium]))


def _without_ports(
    model: CompiledModel, calcium: str, states: RestingStates, clamped: CompiledModel
) -> Drive:
    """A model whose calcium moves but that has no port for spikes: they are added to calcium."""
    raise RuleError(
        calcium,
        "it is a state, and the model has no port of kind 'spike' through which spikes could move it; "
        "declare ports 'glutamate' and 'bap', or name the calcium input of a part",
    )


def _fitted_trace(
    upstream: CompiledModel, calcium: str, rest: float, *, solver: str | Solver, rtol: float
) -> tuple[CalciumTrace, float]:
    """The exponential trace that follows calcium best in random trains, and its R2."""
    from scipy.optimize import least_squares

    times = np.arange(0.0, PROBE_TIME, 0.002)
    cases = [_begun(case) for case in training(PROBES, seed=5)]
    start = simulate(upstream, [0.0, 50.0], solver=solver, rtol=rtol).values[0, -1]
    runs = simulate(
        upstream, times, protocol=[case.protocol() for case in cases], solver=solver, rtol=rtol,
        initial=dict(zip(upstream.state_names, start, strict=True)),
    )  # fmt: skip
    true = np.asarray(runs[calcium])

    def misfit(x: np.ndarray) -> np.ndarray:
        trace = _trace(rest, x)
        said = [_scaled_trace(trace, case, times) for case in cases]
        return np.asarray((np.array(said) - true).ravel())

    size = np.log(max(float(true.max()) - rest, 1e-9) / 2.0)
    fits = [
        least_squares(
            misfit, [size, size, np.log(decay), 0.002], diff_step=1e-5, x_scale=[1, 1, 1, 0.01], max_nfev=60
        )
        for decay in (0.02, 0.08)
    ]
    best = min(fits, key=lambda f: f.cost)
    r2 = 1.0 - 2.0 * float(best.cost) / float(np.sum((true - true.mean()) ** 2))
    return _trace(rest, best.x), r2


def _trace(rest: float, x: np.ndarray) -> CalciumTrace:
    pre, post, tau = (float(v) for v in np.exp(x[:3]))
    return CalciumTrace(rest, pre, post, tau, float(abs(x[3])))


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
