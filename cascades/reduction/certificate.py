"""How right a rule is, and where: scores per held-out family beside trivial baselines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cascades.reduction.answers import Answers

TRAINING, VALIDATION, ALL = "training", "validation", "all held out"
COLUMNS = (
    "cases",
    "r2",
    "rmse",
    "worst",
    "outcome_accuracy",
    "no_change",
    "majority",
    "margin",
    "worst_case",
)


@dataclass(frozen=True)
class Score:
    """Efficacy at the end of a protocol (r2, rmse, worst; clipped to 0..1) and outcome after the rest.

    `r2` is None where the true efficacies are all the same.  `no_change` and `majority` are the outcome
    accuracies of the two rules that need no calcium: what was before, and the most frequent outcome.
    `margin` is the median distance of the true final efficacy at the protocol's end from the
    separatrix: where it is small a small error turns an outcome.  `worst_case` names the protocol.
    """

    cases: int
    r2: float | None
    rmse: float
    worst: float
    outcome_accuracy: float
    no_change: float
    majority: float
    margin: float
    worst_case: str


@dataclass(frozen=True)
class Certificate:
    """The scores of one level: held-out `families` by name, `overall` for all of these together, the
    `training` set that numbers were fitted to, and the `validation` set that choices were made by.

    `domain` says where the scores hold; `converged` whether the optimiser said so (None: no fit);
    `notes` are sentences about what went wrong or was downgraded.
    """

    families: Mapping[str, Score]
    overall: Score
    training: Score
    validation: Score
    domain: Mapping[str, Any] = field(default_factory=dict)
    converged: bool | None = None
    notes: tuple[str, ...] = ()

    def rows(self) -> list[tuple[str, Score]]:
        first = [(TRAINING, self.training), (VALIDATION, self.validation)]
        return [*first, *self.families.items(), (ALL, self.overall)]

    def __str__(self) -> str:
        """A table, one row per family."""
        head = f"{'':<34}{'cases':>6}{'R2':>8}{'rmse':>7}{'worst':>7}{'outcome':>9}"
        head += f"{'no change':>11}{'majority':>10}{'margin':>8}"
        lines = [head]
        for name, s in self.rows():
            r2 = "-" if s.r2 is None else f"{s.r2:.3f}"
            lines.append(
                f"{name:<34}{s.cases:>6}{r2:>8}{s.rmse:>7.3f}{s.worst:>7.2f}{s.outcome_accuracy:>9.3f}"
                f"{s.no_change:>11.3f}{s.majority:>10.3f}{s.margin:>8.2f}"
            )
        if self.domain:
            inside = ", ".join(f"{name} {low:.3g} to {high:.3g}" for name, (low, high) in self.domain.items())
            lines.append(f"holds for {inside}")
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers by family, for JSON."""
        scores = {name: {c: getattr(s, c) for c in COLUMNS} for name, s in self.rows()}
        notes = list(self.notes)
        return {"families": scores, "domain": dict(self.domain), "converged": self.converged, "notes": notes}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Certificate:
        """What `as_dict` gave."""
        scores = {name: Score(**numbers) for name, numbers in plain["families"].items()}
        training, validation, overall = (scores.pop(name) for name in (TRAINING, VALIDATION, ALL))
        domain, notes = dict(plain["domain"]), tuple(plain["notes"])
        return cls(scores, overall, training, validation, domain, plain["converged"], notes)


def score(answer: Answers, end: np.ndarray, final: np.ndarray, rho_star: float, usual: bool) -> Score:
    """Compare efficacies of a rule, shape (cases, 2), with the full model's; `usual` is the most
    frequent outcome (is it UP?) of the training set.  Cases in which the model failed are left out."""
    known = np.isfinite(answer.end) & np.isfinite(answer.final)
    true_end, true_up = np.clip(answer.end[known], 0.0, 1.0), answer.final[known] > rho_star
    # a rule that gives no number is as wrong as it can be
    said = np.where(np.isfinite(end), np.clip(end, 0.0, 1.0), 1.0 - np.clip(answer.end, 0.0, 1.0).round())[
        known
    ]
    said_up = np.where(np.isfinite(final), final > rho_star, answer.final <= rho_star)[known]
    error = said - true_end
    spread = float(np.sum((true_end - true_end.mean()) ** 2)) if true_end.size else 0.0
    was_up = np.broadcast_to([False, True], answer.end.shape)[known]
    worst = int(np.argmax(np.abs(error))) if error.size else 0
    names = np.repeat([case.name for case in answer.cases], 2).reshape(-1, 2)[known]
    return Score(
        cases=int(true_end.size),
        r2=1.0 - float(np.sum(error**2)) / spread if spread > 1e-9 * max(1, error.size) else None,
        rmse=float(np.sqrt(np.mean(error**2))) if error.size else 0.0,
        worst=float(np.abs(error).max(initial=0.0)),
        outcome_accuracy=_mean(said_up == true_up),
        no_change=_mean(was_up == true_up),
        majority=_mean(true_up == usual),
        margin=float(np.median(np.abs(true_end - rho_star))) if true_end.size else 0.0,
        worst_case=str(names[worst]) if names.size else "",
    )


def _mean(hits: np.ndarray) -> float:
    return float(np.mean(hits)) if hits.size else 1.0


def joined(parts: list[Answers]) -> Answers:
    """All cases of several families."""
    cases = tuple(case for part in parts for case in part.cases)
    runs = max(1, sum(len(part.cases) for part in parts))
    seconds = sum(part.seconds * len(part.cases) for part in parts) / runs
    return Answers(
        cases, np.concatenate([p.end for p in parts]), np.concatenate([p.final for p in parts]), seconds
    )
