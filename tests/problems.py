"""Stiff test problems, as equations: with sources, tags, and reference values where they are published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cascades.compiler.equations import ConservedTotal, Equations
from cascades.expression import ONE, Expr, add, mul, number, symbol


@dataclass(frozen=True)
class Problem:
    """`end` is the last time; `reference` the published state there (empty if there is none)."""

    equations: Equations
    end: float
    tags: tuple[str, ...]
    reference: tuple[float, ...] = ()


def equations(
    name: str,
    rates: Mapping[str, Expr],
    initial: Mapping[str, float],
    values: Mapping[str, float],
    conserved: Mapping[str, tuple[str, ...]] | None = None,
    initial_formulas: tuple[Expr, ...] = (),
    **more: object,
) -> Equations:
    """Equations from rates by state name; `conserved` maps a total to the states it sums (the last one
    is eliminated)."""
    totals = tuple(
        ConservedTotal(total, dict.fromkeys(states, ONE), states[-1])
        for total, states in (conserved or {}).items()
    )
    fields: dict[str, object] = {"is_algebraic": (False,) * len(rates)} | more
    return Equations(
        name=name,
        state_names=tuple(rates),
        parameter_names=tuple(values),
        default_values=tuple(map(float, values.values())),
        initial=initial_formulas or tuple(number(initial.get(s, 0.0)) for s in rates),
        rates=tuple(rates.values()),
        conserved=totals,
        **fields,  # type: ignore[arg-type]
    )


def robertson() -> Problem:
    """Robertson (1966); reference at t = 1e11 from the IVP test set, Mazzia & Magherini (2008), II-10."""
    a, b, c, k1, k2, k3 = map(symbol, ("a", "b", "c", "k1", "k2", "k3"))
    slow, fast, back = mul(k1, a), mul(k2, b, b), mul(k3, b, c)
    found = equations(
        "robertson",
        {"a": back - slow, "b": slow - fast - back, "c": fast},
        {"a": 1.0},
        {"k1": 0.04, "k2": 3e7, "k3": 1e4},
        {"total": ("a", "b", "c")},
    )
    reference = (0.2083340149701255e-7, 0.8333360770334713e-13, 0.9999999791665050)
    return Problem(found, 1e11, ("stiff", "conserved"), reference)


def hires() -> Problem:
    """Schaefer (1975) in Hairer & Wanner (1996), section IV.10; reference at t = 321.8122 from the IVP
    test set, Mazzia & Magherini (2008), II-1."""
    y = [symbol(f"y{i}") for i in range(1, 9)]
    rate = mul(280, y[5], y[7])
    rates = (
        add(mul(-1.71, y[0]), mul(0.43, y[1]), mul(8.32, y[2]), 0.0007),
        add(mul(1.71, y[0]), mul(-8.75, y[1])),
        add(mul(-10.03, y[2]), mul(0.43, y[3]), mul(0.035, y[4])),
        add(mul(8.32, y[1]), mul(1.71, y[2]), mul(-1.12, y[3])),
        add(mul(-1.745, y[4]), mul(0.43, y[5]), mul(0.43, y[6])),
        add(mul(-1, rate), mul(0.69, y[3]), mul(1.71, y[4]), mul(-0.43, y[5]), mul(0.69, y[6])),
        add(rate, mul(-1.81, y[6])),
        add(mul(-1, rate), mul(1.81, y[6])),
    )
    found = equations("hires", {f"y{i + 1}": r for i, r in enumerate(rates)}, {"y1": 1.0, "y8": 0.0057}, {})
    reference = (
        0.7371312573325668e-3, 0.1442485726316185e-3, 0.5888729740967575e-4, 0.1175651343283149e-2,
        0.2386356198831331e-2, 0.6238968252742796e-2, 0.2849998395185769e-2, 0.2850001604814231e-2,
    )  # fmt: skip
    return Problem(found, 321.8122, ("stiff",), reference)


def van_der_pol() -> Problem:
    """Hairer & Wanner (1996), section IV.10, eps = 1e-6; reference at t = 2 from the same place."""
    x, v, eps = map(symbol, ("x", "v", "eps"))
    found = equations(
        "van_der_pol", {"x": v, "v": mul(add(mul(add(1, mul(-1, x, x)), v), mul(-1, x)), eps**-1)},
        {"x": 2.0, "v": 0.0}, {"eps": 1e-6},
    )  # fmt: skip
    return Problem(found, 2.0, ("stiff",), (0.1706167732170483e1, -0.8928097010247975e0))


def binding() -> Problem:
    """A + B <-> AB, which has a closed form."""
    a, b, ab, on, off = map(symbol, ("A", "B", "AB", "on", "off"))
    net = mul(on, a, b) - mul(off, ab)
    rates = {"A": -net, "B": -net, "AB": net}
    totals = {"A_total": ("AB", "A"), "B_total": ("AB", "B")}
    found = equations("binding", rates, {"A": 1.0, "B": 2.0}, {"on": 3.0, "off": 0.5}, totals)
    return Problem(found, 5.0, ("conserved",))


PROBLEMS = {p.equations.name: p for p in (robertson(), hires(), van_der_pol(), binding())}
