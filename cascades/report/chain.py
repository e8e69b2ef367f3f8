"""The whole chain for one model: protocols, bistability, rule, network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from cascades.compiler.compiled import CompiledModel, compile_model
from cascades.model import Model
from cascades.network import Recording, run_network
from cascades.reduction import RuleLadder, derive_rule
from cascades.report.assembly import assembly_network
from cascades.report.bistability import Diagram, diagram
from cascades.report.curves import Curve, curves
from cascades.report.experiments import Experiment, depression, potentiation
from cascades.report.readouts import readouts
from cascades.report.spiking import Spiking, spiking

NETWORK_DURATION = 10e3  # [ms]

Step = Callable[[str], AbstractContextManager[Callable[[float], None]]]


@dataclass(frozen=True, eq=False)
class Chain:
    """Every result of a run, in the order of the arrows."""

    model: Model
    compiled: CompiledModel
    spine: Spiking
    ltp: Experiment
    ltd: Experiment
    diagram: Diagram
    ladder: RuleLadder
    curves: list[Curve]
    recording: Recording
    seed: int


def run_chain(
    model: Model,
    *,
    calcium: str | None = None,
    weight: str | None = None,
    seed: int = 0,
    budget: str = "full",
    step: Step | None = None,
) -> Chain:
    """Do everything that a report shows.

    Parameters
    ----------
    calcium, weight : the model's calcium and the read-out that remembers; told by its ports if missing
    seed : of the fit and of the network
    budget : of `derive_rule`
    step : a context manager that is told what is being done

    Raises
    ------
    ModelError, UnknownName
        Calcium or weight cannot be told.
    SolverFailure, NoEquilibrium, RuleError
        A part of the chain is impossible for this model.
    """
    step = step or _quiet
    calcium, weight = readouts(model, calcium, weight)
    with step(f"compile {model.id}"):
        compiled = compile_model(model)
    with step("derive the rule, and judge it on protocols it was not fitted to") as report:
        ladder = derive_rule(
            compiled, calcium=calcium, weight=weight, budget=budget, seed=seed,
            progress=lambda what, done: report(done),
        )  # fmt: skip
    spine = spiking(compiled, calcium, weight, ladder)
    with step("equilibria and branches"):
        found = diagram(compiled, calcium, weight)
    with step("LTP and LTD protocols"):
        ltp, ltd = potentiation(spine, found), depression(spine, found)
    with step("spike timing and frequency, full model and rule") as report:
        both = curves(spine, ladder.rule, report=report)
    network = assembly_network(ladder.network_rule, seed=seed)
    with step(f"{NETWORK_DURATION / 1e3:g} s of {network.size} neurons") as report:
        recording = run_network(network, NETWORK_DURATION, seed=seed, progress=report)
    return Chain(model, compiled, spine, ltp, ltd, found, ladder, both, recording, seed)


@contextmanager
def _quiet(what: str) -> Iterator[Callable[[float], None]]:
    yield lambda fraction: None
