"""What continuation needs to know of a system of differential equations.

A `Problem` is x' = f(x, q) with derivatives; everything else of this floor is written against it,
so that a compiled spine model and a two-line normal form are treated alike.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping

import numpy as np

from cascades.errors import UnknownName


class Problem(abc.ABC):
    """x' = f(x, q) with independent states x, shape (n,), and parameters q, shape (m,).

    Every array argument may be used, never kept or changed.  The states are independent: conserved
    totals have been eliminated and are parameters like any other.
    """

    state_names: tuple[str, ...]
    parameter_names: tuple[str, ...]
    default_state: np.ndarray
    default_values: np.ndarray
    scale: np.ndarray
    """A typical size of every state, shape (n,): what counts as large."""
    is_positive: np.ndarray
    """Which states have no meaning below zero, shape (n,)."""
    full_names: tuple[str, ...]
    """The states that `expand` gives, the eliminated ones included."""

    @abc.abstractmethod
    def rates(self, x: np.ndarray, q: np.ndarray) -> np.ndarray:
        """f, shape (n,)."""

    @abc.abstractmethod
    def jacobian(self, x: np.ndarray, q: np.ndarray) -> np.ndarray:
        """df/dx, shape (n, n)."""

    @abc.abstractmethod
    def parameter_derivative(self, x: np.ndarray, q: np.ndarray, k: int) -> np.ndarray:
        """df/dq_k, shape (n,)."""

    @abc.abstractmethod
    def second(self, x: np.ndarray, q: np.ndarray, v: np.ndarray, w: np.ndarray) -> np.ndarray:
        """The second derivative D2f[v, w], shape (n,)."""

    @abc.abstractmethod
    def third(self, x: np.ndarray, q: np.ndarray, u: np.ndarray, v: np.ndarray, w: np.ndarray) -> np.ndarray:
        """The third derivative D3f[u, v, w], shape (n,)."""

    @abc.abstractmethod
    def contraction(
        self, x: np.ndarray, q: np.ndarray, w: np.ndarray, v: np.ndarray, ks: tuple[int, ...]
    ) -> tuple[np.ndarray, np.ndarray]:
        """The gradient of the number w . (df/dx) v over x, shape (n,), and over the parameters ks."""

    @abc.abstractmethod
    def expand(self, x: np.ndarray, q: np.ndarray) -> np.ndarray:
        """Every state, the eliminated ones included, shape (..., full)."""

    @abc.abstractmethod
    def observe(self, name: str, x: np.ndarray, q: np.ndarray) -> np.ndarray:
        """A state or an observable by its name; x is (..., n) and q (..., m)."""

    def index(self, parameter: str) -> int:
        """The place of a parameter.

        Raises
        ------
        UnknownName
            with the nearest names.
        """
        try:
            return self.parameter_names.index(parameter)
        except ValueError:
            raise UnknownName("parameter", parameter, self.parameter_names) from None

    def values(self, changed: Mapping[str, float] | None = None) -> np.ndarray:
        """The parameters q, shape (m,): the defaults with some of them changed by name."""
        q = self.default_values.copy()
        for name, value in (changed or {}).items():
            q[self.index(name)] = float(value)
        return q


def second_complex(
    problem: Problem, x: np.ndarray, q: np.ndarray, v: np.ndarray, w: np.ndarray
) -> np.ndarray:
    """D2f[v, w] for complex directions."""
    vr, vi, wr, wi = v.real, v.imag, w.real, w.imag

    def part(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return problem.second(x, q, a, b) if a.any() and b.any() else np.zeros(x.size)

    return part(vr, wr) - part(vi, wi) + 1j * (part(vr, wi) + part(vi, wr))


def third_complex(
    problem: Problem, x: np.ndarray, q: np.ndarray, u: np.ndarray, v: np.ndarray, w: np.ndarray
) -> np.ndarray:
    """D3f[u, v, w] for complex directions."""
    total = np.zeros(x.size, complex)
    for a, unit_a in ((u.real, 1.0), (u.imag, 1j)):
        for b, unit_b in ((v.real, 1.0), (v.imag, 1j)):
            for c, unit_c in ((w.real, 1.0), (w.imag, 1j)):
                if a.any() and b.any() and c.any():
                    total = total + unit_a * unit_b * unit_c * problem.third(x, q, a, b, c)
    return total
