"""`derive_rule`: from a model to a ladder of rules, each with its certificate."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cascades.errors import RuleError, UnknownName
from cascades.reduction.certificate import Certificate
from cascades.reduction.rule import CalciumRule, CalciumTrace, plain, unplain

if TYPE_CHECKING:
    from cascades.compiler.compiled import CompiledModel
    from cascades.reduction.manifold import SlowManifold
    from cascades.solvers import Solver

JSON_FORMAT = "cascades rule ladder 1"
Report = Callable[[str, float], None]


@dataclass(frozen=True, eq=False)
class Level:
    """One simplification.

    rule : a CalciumRule, or a SlowManifold of few equations (None in a ladder that was read from a file,
        which holds rules only)
    certificate : how right it is
    cost : float
        Seconds of computing per run of one held-out protocol.
    fitted : int
        Numbers that were fitted to the training set.
    """

    name: str
    rule: CalciumRule | SlowManifold | None
    certificate: Certificate
    cost: float
    fitted: int = 0

    @property
    def is_exportable(self) -> bool:
        """Whether networks and simulators take it: a CalciumRule."""
        return isinstance(self.rule, CalciumRule)


@dataclass(frozen=True, eq=False)
class RuleLadder(Sequence[Level]):
    """Levels from the most faithful to the simplest.

    chosen : the cheapest level whose rmse on the validation set is within `tolerance`; without a
        tolerance, or if none is, the CalciumRule with the fewest wrong outcomes there.
    full_cost : seconds of computing per protocol of the full model.
    thresholds : the effective thresholds of the fitted step rule, with 95 % profile intervals, beside
        the physical ones (folds at constant calcium).
    """

    levels: tuple[Level, ...]
    chosen: Level
    tolerance: float | None
    full_cost: float
    thresholds: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __getitem__(self, key: Any) -> Any:
        """A level by position or by name.  Raises UnknownName."""
        if isinstance(key, str):
            for level in self.levels:
                if level.name == key:
                    return level
            raise UnknownName("level", key, [level.name for level in self.levels])
        return self.levels[key]

    def __len__(self) -> int:
        return len(self.levels)

    def __iter__(self) -> Iterator[Level]:
        return iter(self.levels)

    @property
    def rule(self) -> CalciumRule:
        """The chosen level's rule if it is a CalciumRule, else the most accurate one that is."""
        if isinstance(self.chosen.rule, CalciumRule):
            return self.chosen.rule
        return self._best(lambda rule: True)

    @property
    def network_rule(self) -> CalciumRule:
        """The same for networks, which keep one variable per synapse: without a phosphatase filter."""
        if self.rule.filter is None:
            return self.rule
        return self._best(lambda rule: rule.filter is None)

    def _best(self, will_do: Callable[[CalciumRule], bool]) -> CalciumRule:
        """The rule with the fewest wrong outcomes of those that will do."""
        rules = [(v, v.rule) for v in self.levels if isinstance(v.rule, CalciumRule) and will_do(v.rule)]
        if not rules:
            raise RuleError("ladder", "none of its levels is a CalciumRule that will do")
        return min(rules, key=lambda pair: _misses(pair[0]))[1]

    def __str__(self) -> str:
        """The certificate of every level, in one table, and what it costs."""
        columns = ("fitted", "train R2", "held R2", "rmse", "worst", "outcome", "ms", "full /")
        lines = [f"{'level':<38}" + "".join(f"{name:>9}" for name in columns)]
        for level in self.levels:
            s, t = level.certificate.overall, level.certificate.training
            cheaper = self.full_cost / level.cost if level.cost > 0.0 else float("inf")
            mark = " *" if level is self.chosen else ""
            lines.append(
                f"{level.name + mark:<38}{level.fitted:>9}{_number(t.r2):>9}{_number(s.r2):>9}{s.rmse:>9.3f}"
                f"{s.worst:>9.2f}{s.outcome_accuracy:>9.3f}{1e3 * level.cost:>9.3f}{cheaper:>9.1f}"
            )
        first = self.levels[0].certificate.overall
        lines.append(
            f"baselines of the outcome: no change {first.no_change:.3f}, majority {first.majority:.3f};"
            f" {first.cases} held-out cases; full model {1e3 * self.full_cost:.1f} ms"
        )
        why = "cheapest within the tolerance" if self._is_met else "the rule with the fewest wrong outcomes"
        lines.append(f"* chosen: {self.chosen.name} ({why})")
        for name, entry in self.thresholds.items():
            lines.append(f"{name}: {entry}")
        return "\n".join(lines + [f"note: {note}" for note in self.notes])

    @property
    def _is_met(self) -> bool:
        return self.tolerance is not None and self.chosen.certificate.validation.rmse <= self.tolerance

    def to_json(self) -> str:
        """Every number of every certificate, and the rules, as JSON; `from_json` gives them back to the
        last bit.  `details` and slow manifolds are not in it."""
        levels = [
            {
                "name": level.name,
                "cost": level.cost,
                "fitted": level.fitted,
                "certificate": level.certificate.as_dict(),
                "rule": json.loads(level.rule.to_json()) if isinstance(level.rule, CalciumRule) else None,
            }
            for level in self.levels
        ]
        whole = {
            "format": JSON_FORMAT,
            "chosen": self.chosen.name,
            "tolerance": self.tolerance,
            "full_cost": self.full_cost,
            "thresholds": dict(self.thresholds),
            "notes": list(self.notes),
            "levels": levels,
        }
        return json.dumps(plain(whole), indent=1)

    @classmethod
    def from_json(cls, text: str) -> RuleLadder:
        """Raises RuleError if the text is not a ladder that `to_json` wrote."""
        try:
            whole = json.loads(text)
            if whole.pop("format", None) != JSON_FORMAT:
                raise RuleError("ladder file", f"not a {JSON_FORMAT!r} file")
            rules = [json.dumps(level["rule"]) if level["rule"] else None for level in whole["levels"]]
            whole = unplain(whole)
            levels = tuple(
                Level(
                    level["name"],
                    CalciumRule.from_json(rule) if rule else None,
                    Certificate.from_dict(level["certificate"]),
                    level["cost"],
                    level["fitted"],
                )
                for level, rule in zip(whole.pop("levels"), rules, strict=True)
            )
            (chosen,) = [level for level in levels if level.name == whole["chosen"]]
            return cls(**{**whole, "levels": levels, "chosen": chosen})
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            if isinstance(error, RuleError):
                raise
            raise RuleError("ladder file", f"not a ladder of rules: {error}") from error


def derive_rule(
    compiled: CompiledModel,
    *,
    calcium: str,
    weight: str,
    tolerance: float | None = None,
    along: Mapping[str, Sequence[float]] | None = None,
    drive: CalciumTrace | None = None,
    budget: str = "full",
    seed: int = 0,
    solver: str | Solver | None = None,
    rtol: float = 1e-5,
    progress: Report | None = None,
) -> Any:
    """A ladder of calcium rules for a model, with certificates.

    Parameters
    ----------
    calcium : parameter, state or observable of the model
        A parameter is driven by spikes through a calcium trace; a state or observable is cut there to
        derive the rule, and the rule is judged by spikes through the whole model.
    weight : state or observable that the rule stands for
    tolerance : float, optional
        Root-mean-square error of the efficacy that the chosen level may have on the validation protocols.
    along : mapping of a parameter to its values, optional
        The rule as a function of slow variables: a `SlidingRule` instead of a ladder.
    drive : CalciumTrace, optional
        Calcium jumps and decay of a model whose calcium is a parameter; calibrated if missing.
    budget : "full" or "quick"
        The quick one has fewer protocols and levels.
    seed : of the random search
    progress : called with what is being done and the share that is done, 0 to 1

    Returns
    -------
    RuleLadder (SlidingRule with `along`)

    Raises
    ------
    UnknownName
        A quantity that the model does not have, or a budget.
    RuleError
        The weight does not depend on calcium, or is constant.
    """
    from cascades.reduction.derivation import Derivation
    from cascades.reduction.families import BUDGETS
    from cascades.reduction.levels import levels_of, thresholds_of
    from cascades.solvers import DEFAULT

    if budget not in BUDGETS:
        raise UnknownName("budget", budget, BUDGETS)
    settings: dict[str, Any] = {
        "seed": seed,
        "solver": solver or DEFAULT,
        "rtol": rtol,
        "budget": budget,
        "drive": drive,
    }
    if along:
        from cascades.reduction.sliding import slide

        return slide(compiled, calcium, weight, along, tolerance=tolerance, progress=progress, **settings)
    begin = time.perf_counter()
    derivation = Derivation(compiled, calcium, weight, progress=progress or _silent, **settings)
    levels, fits = levels_of(derivation)
    chosen = choose(levels, tolerance)
    if _is_worthless(chosen):
        derivation.notes.append("no rule beats the rules that need no calcium; do not use one for this model")
    ladder = RuleLadder(
        levels=levels,
        chosen=chosen,
        tolerance=tolerance,
        full_cost=derivation.full_cost,
        thresholds=thresholds_of(derivation, fits),
        notes=tuple(derivation.notes),
        details={**derivation.details(), "fits": fits},
    )
    return dataclasses.replace(ladder, details={**ladder.details, "seconds": time.perf_counter() - begin})


def choose(levels: Sequence[Level], tolerance: float | None) -> Level:
    """The cheapest level within the tolerance, else the CalciumRule with the fewest wrong outcomes."""
    if not levels:
        raise RuleError("ladder", "it has no level")
    if tolerance is not None:
        good = [level for level in levels if level.certificate.validation.rmse <= tolerance]
        if good:
            return min(good, key=lambda level: level.cost)
    rules = [level for level in levels if level.is_exportable] or list(levels)
    return min(rules, key=_misses)


def _misses(level: Level) -> tuple[float, float]:
    """Wrong outcomes, then the error of the efficacy: memory is what a network needs first."""
    seen = level.certificate.validation
    return 1.0 - seen.outcome_accuracy, seen.rmse


def _is_worthless(level: Level) -> bool:
    """Whether neither its outcomes nor its efficacies are better than what needs no calcium."""
    seen = level.certificate.validation
    return seen.outcome_accuracy <= max(seen.no_change, seen.majority) and (seen.r2 or 0.0) <= 0.0


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _silent(what: str, done: float) -> None:
    """Nobody watches."""


__all__ = ["Level", "RuleLadder", "choose", "derive_rule"]
