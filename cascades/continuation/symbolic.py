"""A problem made of formulas: every derivative is exact and compiled when it is first needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import numpy as np

from cascades.compiler.derivatives import directional, gradients
from cascades.continuation.formulas import Formulas
from cascades.continuation.problem import Problem
from cascades.errors import UnknownName
from cascades.expression import ONE, ZERO, Expr, add, evaluate, mul, symbol

Direction = tuple[str, ...]


class SymbolicProblem(Problem):
    """x' = f(x, q) from formulas over state and parameter names.

    Parameters
    ----------
    rates : formulas, aligned with `state_names`
    default_state : shape (n,)
        Where a search starts.
    scale : shape (n,), optional
        Typical size of each state; 1 if missing.
    is_positive : shape (n,), optional
        States that have no meaning below zero; none if missing.
    eliminated : mapping of name to formula, optional
        States that conserved totals give back.
    observables : mapping of name to formula, optional
    """

    def __init__(
        self,
        state_names: Sequence[str],
        parameter_names: Sequence[str],
        rates: Sequence[Expr],
        *,
        default_state: np.ndarray,
        default_values: np.ndarray,
        scale: np.ndarray | None = None,
        is_positive: np.ndarray | None = None,
        eliminated: Mapping[str, Expr] | None = None,
        full_names: Sequence[str] | None = None,
        observables: Mapping[str, Expr] | None = None,
    ):
        n = len(state_names)
        self.state_names, self.parameter_names = tuple(state_names), tuple(parameter_names)
        self.formulas = tuple(rates)
        self.default_state = np.asarray(default_state, float)
        self.default_values = np.asarray(default_values, float)
        self.scale = np.ones(n) if scale is None else np.asarray(scale, float)
        self.is_positive = np.zeros(n, bool) if is_positive is None else np.asarray(is_positive, bool)
        self.eliminated = dict(eliminated or {})
        self.full_names = (
            tuple(full_names) if full_names is not None else (*self.state_names, *self.eliminated)
        )
        self.observables = dict(observables or {})
        self._compiled: dict[object, Formulas] = {}

    # --- formulas of derivatives ----------------------------------------------------------------

    @cached_property
    def _jacobian_entries(self) -> tuple[np.ndarray, np.ndarray, list[Expr]]:
        place = {name: j for j, name in enumerate(self.state_names)}
        rows, columns, entries = [], [], []
        for i, row in enumerate(gradients(self.formulas, self.state_names)):
            for name, entry in sorted(row.items(), key=lambda item: place[item[0]]):
                rows.append(i)
                columns.append(place[name])
                entries.append(entry)
        return np.array(rows, int), np.array(columns, int), entries

    @property
    def sparsity(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of the entries of the Jacobian that are not identically zero."""
        return self._jacobian_entries[0], self._jacobian_entries[1]

    @property
    def jacobian_formulas(self) -> list[Expr]:
        """The entries named by `sparsity`."""
        return self._jacobian_entries[2]

    def _along(self, formulas: Sequence[Expr], letter: str) -> list[Expr]:
        names = self.state_names
        return directional(
            formulas, {name: symbol(d) for name, d in zip(names, self._direction(letter), strict=True)}
        )

    def _direction(self, letter: str) -> Direction:
        return tuple(f"{name}@{letter}" for name in self.state_names)

    def _function(self, key: object, make: Callable[[], Sequence[Expr]], *letters: str) -> Formulas:
        found = self._compiled.get(key)
        if found is None:
            arguments = (
                self.state_names,
                self.parameter_names,
                *(self._direction(letter) for letter in letters),
            )
            found = self._compiled[key] = Formulas(list(make()), arguments)
        return found

    # --- numbers --------------------------------------------------------------------------------

    def rates(self, x: np.ndarray, q: np.ndarray) -> np.ndarray:
        return self._function("rates", lambda: self.formulas)(x, q)

    def jacobian_values(self, x: np.ndarray, q: np.ndarray) -> np.ndarray:
        """The entries named by `sparsity`."""
        return self._function("jacobian", lambda: self._jacobian_entries[2])(x, q)

    @property
    def joint(self) -> Formulas:
        """Rates and then the entries named by `sparsity` as one function."""
        return self._function("joint", lambda: [*self.formulas, *self._jacobian_entries[2]])

    def jacobian(self, x: np.ndarray, q: np.ndarray) -> np.ndarray:
        rows, columns, _ = self._jacobian_entries
        n = len(self.state_names)
        values = self.jacobian_values(x, q)
        dense = np.zeros((*values.shape[:-1], n, n))
        dense[..., rows, columns] = values
        return dense

    def parameter_formulas(self, k: int) -> list[Expr]:
        """df/dq_k."""
        return directional(self.formulas, {self.parameter_names[k]: ONE})

    def depends_on(self, k: int) -> bool:
        """Whether any rate depends on parameter k."""
        return any(slope is not ZERO for slope in self.parameter_formulas(k))

    def parameter_derivative(self, x: np.ndarray, q: np.ndarray, k: int) -> np.ndarray:
        return self._function(("parameter", k), lambda: self.parameter_formulas(k))(x, q)

    def second(self, x: np.ndarray, q: np.ndarray, v: np.ndarray, w: np.ndarray) -> np.ndarray:
        function = self._function(
            "second", lambda: self._along(self._along(self.formulas, "v"), "w"), "v", "w"
        )
        return function(x, q, v, w)

    def third(self, x: np.ndarray, q: np.ndarray, u: np.ndarray, v: np.ndarray, w: np.ndarray) -> np.ndarray:
        def make() -> list[Expr]:
            return self._along(self._along(self._along(self.formulas, "u"), "v"), "w")

        return self._function("third", make, "u", "v", "w")(x, q, u, v, w)

    def contraction(
        self, x: np.ndarray, q: np.ndarray, w: np.ndarray, v: np.ndarray, ks: tuple[int, ...]
    ) -> tuple[np.ndarray, np.ndarray]:
        def make() -> list[Expr]:
            along = self._along(self.formulas, "v")
            number = add(
                *(mul(symbol(name), part) for name, part in zip(self._direction("w"), along, strict=True))
            )
            names = (*self.state_names, *(self.parameter_names[k] for k in ks))
            slopes = gradients([number], names)[0]
            return [slopes.get(name, ZERO) for name in names]

        both = self._function(("contraction", ks), make, "w", "v")(x, q, w, v)
        n = len(self.state_names)
        return both[:n], both[n:]

    def expand(self, x: np.ndarray, q: np.ndarray) -> np.ndarray:
        columns = {name: x[..., i] for i, name in enumerate(self.state_names)}
        if self.eliminated:
            columns |= dict(
                zip(self.eliminated, self._evaluate(list(self.eliminated.values()), x, q), strict=True)
            )
        return np.stack(np.broadcast_arrays(*(columns[name] for name in self.full_names)), axis=-1)

    def observe(self, name: str, x: np.ndarray, q: np.ndarray) -> np.ndarray:
        if name in self.state_names:
            return x[..., self.state_names.index(name)]
        formula = self.eliminated.get(name, self.observables.get(name))
        if formula is None:
            if name in self.parameter_names:
                return q[..., self.parameter_names.index(name)]
            raise UnknownName("state or observable", name, (*self.full_names, *self.observables))
        return np.asarray(self._evaluate([formula], x, q)[0])

    def _evaluate(self, formulas: Sequence[Expr], x: np.ndarray, q: np.ndarray) -> list[np.ndarray]:
        values = {name: x[..., i] for i, name in enumerate(self.state_names)}
        values |= {name: q[..., i] for i, name in enumerate(self.parameter_names)}
        shape = np.broadcast_shapes(x.shape[:-1], q.shape[:-1])
        return [np.broadcast_to(value, shape) for value in evaluate(formulas, values)]
