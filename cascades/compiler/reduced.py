"""The equations with conserved totals eliminated.

Each conserved total sum_i w_i y_i = T removes one state: y_D = W_D^-1 (T - W_I z).  What is left has
a regular Jacobian wherever the equilibrium is isolated, and the totals are parameters like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from cascades.compiler.functions import Array, as_row
from cascades.errors import UnknownName
from cascades.expression import ZERO, add, evaluate, mul

if TYPE_CHECKING:
    from cascades.compiler.compiled import CompiledModel

# What a changed system takes over because parameter values and totals do not enter it.
_OF_EQUATIONS = (
    "names",
    "independent",
    "_dependent",
    "_weight_slopes",
    "_total_slopes",
    "_weights_depend_on_parameters",
)
_OF_WEIGHTS = ("_weights", "_inverse", "_spread")


@dataclass(frozen=True, eq=False)
class ReducedSystem:
    """z' = rates(z) at fixed parameter values and conserved totals.

    Parameters
    ----------
    compiled : CompiledModel
    p : array, shape (m,)
        Parameter values.
    totals : dict
        Conserved totals that are held at a number; those left out follow from the initial state, also
        when a parameter changes that the initial state depends on.
    """

    compiled: CompiledModel
    p: Array
    totals: dict[str, float]

    def __post_init__(self) -> None:
        for name in self.totals:
            if name not in self.total_names:
                raise UnknownName("conserved total", name, self.total_names)

    @property
    def total_names(self) -> tuple[str, ...]:
        return tuple(total.name for total in self.compiled.equations.conserved)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The independent states."""
        return tuple(self.compiled.state_names[i] for i in self.independent)

    @cached_property
    def total_values(self) -> Array:
        """The conserved totals, in the order of `total_names`."""
        y = self.compiled.initial_array(self.p[None, :])[0]
        values = self._weights @ y
        for k, name in enumerate(self.total_names):
            values[k] = self.totals.get(name, values[k])
        return values

    def with_(self, **changes: float) -> ReducedSystem:
        """The same system with other parameter values or conserved totals."""
        p, totals = self.p.copy(), dict(self.totals)
        for name, value in changes.items():
            if name in self.total_names:
                totals[name] = float(value)
            elif name in self.compiled.parameter_index:
                p[self.compiled.parameter_index[name]] = value
            else:
                known = (*self.total_names, *self.compiled.parameter_names)
                raise UnknownName("parameter or conserved total", name, known)
        changed = ReducedSystem(self.compiled, p, totals)
        kept = _OF_EQUATIONS if self._weights_depend_on_parameters else _OF_EQUATIONS + _OF_WEIGHTS
        changed.__dict__.update({name: self.__dict__[name] for name in kept if name in self.__dict__})
        return changed

    def with_totals_of(self, y: Array) -> ReducedSystem:
        """The same system with the conserved totals of the states `y`, shape (n,)."""
        totals = (self._weights @ y).tolist()
        return self.with_(**dict(zip(self.total_names, totals, strict=True)))

    def expand(self, z: Any) -> Array:
        """All states, shape (n,), from the independent ones."""
        y = np.empty(len(self.compiled.state_names))
        y[self.independent] = z
        y[self._dependent] = self._offset + self._spread @ y[self.independent]
        return y

    def restrict(self, y: Any) -> Array:
        """The independent states of `y`."""
        return as_row(y, len(self.compiled.state_names))[self.independent]

    def rates(self, z: Any) -> Array:
        return self.compiled.rates(self.expand(z), self.p)[self.independent]

    def jacobian(self, z: Any) -> Array:
        """Shape (n - k, n - k) for k conserved totals."""
        full = self.compiled.jacobian(self.expand(z), self.p)[self.independent]
        return full[:, self.independent] + full[:, self._dependent] @ self._spread

    def parameter_jacobian(self, z: Any, names: Sequence[str]) -> Array:
        """Derivatives of `rates` at fixed z with respect to parameters and conserved totals, shape
        (n - k, len(names))."""
        y = self.expand(z)
        n_totals = len(self.total_names)
        direct = self.compiled.parameter_jacobian(y, self.p)[self.independent]
        if n_totals:
            through = self.compiled.jacobian(y, self.p)[self.independent][:, self._dependent] @ self._inverse
        columns = []
        for name in names:
            if name in self.total_names:
                columns.append(through[:, self.total_names.index(name)])
            elif name in self.compiled.parameter_index:
                column = direct[:, self.compiled.parameter_index[name]]
                columns.append(column + through @ self._shift(name, y) if n_totals else column)
            else:
                raise UnknownName(
                    "parameter or conserved total", name, (*self.total_names, *self.compiled.parameter_names)
                )
        return np.column_stack(columns) if columns else np.empty((len(self.names), 0))

    def _shift(self, name: str, y: Array) -> Array:
        """d/dp of (T - W y) at fixed y: how a parameter moves the dependent states."""
        values = self._values
        shift = np.zeros(len(self.total_names))
        for k, total in enumerate(self.compiled.equations.conserved):
            follows = self._total_slopes[k].get(name, ZERO) if total.name not in self.totals else ZERO
            shift[k] = evaluate([follows], values)[0]
            for state, slopes in self._weight_slopes[k].items():
                slope = evaluate([slopes.get(name, ZERO)], values)[0]
                shift[k] -= slope * y[self.compiled.state_index[state]]
        return shift

    @cached_property
    def independent(self) -> Array:
        """Positions of the independent states among all states."""
        dependent = {total.dependent for total in self.compiled.equations.conserved}
        return np.array(
            [i for i, name in enumerate(self.compiled.state_names) if name not in dependent], dtype=np.intp
        )

    @cached_property
    def _dependent(self) -> Any:
        index = self.compiled.state_index
        return np.array(
            [index[total.dependent] for total in self.compiled.equations.conserved], dtype=np.intp
        )

    @cached_property
    def _values(self) -> dict[str, float]:
        return {**dict(zip(self.compiled.parameter_names, self.p.tolist(), strict=True)), "time": 0.0}

    @cached_property
    def _weights(self) -> Array:
        """The matrix W of weights, shape (k, n)."""
        weights = np.zeros((len(self.total_names), len(self.compiled.state_names)))
        for k, total in enumerate(self.compiled.equations.conserved):
            for state, value in zip(
                total.weights, evaluate(total.weights.values(), self._values), strict=True
            ):
                weights[k, self.compiled.state_index[state]] = value
        return weights

    @cached_property
    def _inverse(self) -> Array:
        return np.asarray(np.linalg.inv(self._weights[:, self._dependent]), dtype=np.float64)

    @cached_property
    def _spread(self) -> Array:
        """dy_D / dz, shape (k, n - k)."""
        return -self._inverse @ self._weights[:, self.independent]

    @cached_property
    def _offset(self) -> Array:
        return self._inverse @ self.total_values

    @cached_property
    def _weights_depend_on_parameters(self) -> bool:
        return any(
            not w.is_number for total in self.compiled.equations.conserved for w in total.weights.values()
        )

    @cached_property
    def _weight_slopes(self) -> list[dict[str, Any]]:
        from cascades.compiler.derivatives import gradients

        names = self.compiled.parameter_names
        slopes = [gradients(total.weights.values(), names) for total in self.compiled.equations.conserved]
        conserved = self.compiled.equations.conserved
        return [
            dict(zip(total.weights, found, strict=True))
            for total, found in zip(conserved, slopes, strict=True)
        ]

    @cached_property
    def _total_slopes(self) -> list[dict[str, Any]]:
        """Derivatives of the totals of the initial state with respect to parameters."""
        from cascades.compiler.derivatives import gradients

        equations = self.compiled.equations
        initial = dict(zip(equations.state_names, equations.initial, strict=True))
        formulas = [
            add(*(mul(w, initial[s]) for s, w in total.weights.items())) for total in equations.conserved
        ]
        return gradients(formulas, equations.parameter_names)
