"""Which parameters the data can tell: the spectrum of the Fisher information, and its null directions.

Sloppiness: Gutenkunst et al. (2007) PLoS Comput Biol 3:e189.  Structural identifiability by the
numerical rank of the sensitivities of the observables: Stigter & Molenaar (2015) Automatica 58:118.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas

    from cascades.fitting.problem import FitProblem

GAP = 1e-9  # a singular value below this, relative to the largest, is zero to the integration's error


@dataclass(frozen=True, eq=False)
class Identifiability:
    """At one point.

    names : the estimated parameters
    eigenvalues : of the Fisher information, largest first, shape (parameters,)
    directions : the eigenvectors as columns, shape (parameters, parameters)
    rank : number of directions that the observables' sensitivities span
    standard_errors : Cramer-Rao lower bounds on the parameters' own scales; infinite where a null
        direction has a share in a parameter
    """

    names: tuple[str, ...]
    eigenvalues: np.ndarray
    directions: np.ndarray
    rank: int
    standard_errors: np.ndarray

    @property
    def is_structurally_identifiable(self) -> bool:
        """Whether no combination of parameters leaves all observables unchanged, to first order."""
        return self.rank == len(self.names)

    @property
    def null_directions(self) -> list[dict[str, float]]:
        """Combinations of parameters that no measurement sees, largest share first."""
        found = []
        for column in self.directions[:, self.rank :].T:
            shares = {n: float(c) for n, c in zip(self.names, column, strict=True) if abs(c) > 1e-3}
            found.append(dict(sorted(shares.items(), key=lambda item: -abs(item[1]))))
        return found

    def to_dataframe(self) -> pandas.DataFrame:
        """One row per eigenvalue with the direction's components."""
        import pandas

        table = pandas.DataFrame(self.directions.T, columns=list(self.names))
        table.insert(0, "eigenvalue", self.eigenvalues)
        return table

    def plot(self, axes: Any = None) -> Any:
        from matplotlib import pyplot

        axes = axes or pyplot.subplots()[1]
        positive = np.maximum(self.eigenvalues, 1e-300) / self.eigenvalues.max()
        axes.semilogy(np.arange(1, positive.size + 1), positive, "o")
        axes.set_ylim(1e-18, 10.0)
        axes.set_xlabel("direction, sorted")
        axes.set_ylabel("eigenvalue / largest")
        return axes


def identifiability(problem: FitProblem, x: np.ndarray | None = None) -> Identifiability:
    """The local analysis at `x` (the nominal parameters if None)."""
    x = problem.nominal if x is None else np.asarray(x, float)
    rows = problem.objective.evaluate(x, slopes=True).information_rows
    _, singular, directions = np.linalg.svd(rows, full_matrices=True)
    singular = np.concatenate([singular, np.zeros(x.size - singular.size)])
    rank = int(np.count_nonzero(singular > GAP * singular.max(initial=0.0)))
    errors = _errors(singular**2, directions.T, rank)
    return Identifiability(problem.names, singular**2, directions.T, rank, errors)


def _errors(eigenvalues: np.ndarray, directions: np.ndarray, rank: int) -> np.ndarray:
    variance = (directions[:, :rank] ** 2 / np.maximum(eigenvalues[:rank], 1e-300)).sum(axis=1)
    unseen = (directions[:, rank:] ** 2).sum(axis=1) > 1e-6
    return np.where(unseen, np.inf, np.sqrt(variance))
