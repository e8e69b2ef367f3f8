"""What the full model does in each experiment: the truth that rules are fitted to and judged by."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cascades.compiler.compiled import CompiledModel
from cascades.errors import RuleError
from cascades.reduction.cut import POST, PRE
from cascades.reduction.families import Case
from cascades.reduction.states import RestingStates
from cascades.simulate import simulate
from cascades.solvers import Solver

MEMBERS = 64  # of one batch


@dataclass(frozen=True, eq=False)
class Answers:
    """Efficacies from the DOWN and from the UP state, shape (cases, 2): at the end of the protocol, and
    after a rest; NaN where the model failed, and from UP if there is one resting state.

    seconds : of computing, per run of one case
    """

    cases: tuple[Case, ...]
    end: np.ndarray
    final: np.ndarray
    seconds: float

    @property
    def failed(self) -> int:
        """Runs without an answer; with one resting state nothing is run from UP."""
        asked = np.isfinite(self.final).any(axis=0) | [True, False]
        return int(np.sum(~np.isfinite(self.final[:, asked])))


def answers(
    model: CompiledModel,
    weight: str,
    states: RestingStates,
    initial: np.ndarray,
    cases: Sequence[Case],
    rest: float,
    *,
    delay: float,
    ports: tuple[str, str] = (PRE, POST),
    solver: str | Solver,
    rtol: float,
) -> Answers:
    """Run every case from both resting states.

    Parameters
    ----------
    model : the model that spikes drive
    initial : shape (2, n)
        Its DOWN and UP state.
    rest : float
        Time [s] after the protocol at which the outcome is read.
    delay : float
        Of the presynaptic spikes [s].
    ports : of the presynaptic and of the postsynaptic spikes
    """
    starts = 2 if states.is_bistable else 1
    end, final = np.full((len(cases), 2), np.nan), np.full((len(cases), 2), np.nan)
    order = sorted(range(len(cases)), key=lambda k: cases[k].end)
    clock = time.process_time()
    for first in range(0, len(order), MEMBERS):
        rows = order[first : first + MEMBERS]
        whole = max(cases[k].end for k in rows)
        # all cases of a batch end together, so that they are read at the same times
        protocols = [
            cases[k].protocol(shift=whole - cases[k].end, delay=delay, ports=ports) for k in rows
        ] * starts
        y = np.repeat(initial[:starts], len(rows), axis=0)
        found = simulate(
            model, [0.0, whole, whole + rest], protocol=protocols, rtol=rtol, solver=solver, throw=False,
            initial={name: y[:, i] for i, name in enumerate(model.state_names)},
        )  # fmt: skip
        rho = states.efficacy(np.asarray(found[weight])).reshape(starts, len(rows), 3)
        end[rows, :starts], final[rows, :starts] = rho[:, :, 1].T, rho[:, :, 2].T
    seconds = (time.process_time() - clock) / max(1, starts * len(cases))
    result = Answers(tuple(cases), end, final, seconds)
    if cases and not np.isfinite(result.final).any():
        raise RuleError("answers", "the model failed in every protocol; try another solver or a looser rtol")
    return result
