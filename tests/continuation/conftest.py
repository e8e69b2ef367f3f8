"""Problems with known answers."""

from __future__ import annotations

import numpy as np
import pytest

from cascades.continuation import SymbolicProblem
from cascades.expression import call, symbol

# Graupner & Brunel (2007) PLoS Comput Biol 3:e221, Fig. 3C (ModelDB 114452)
CAMKII_VALUES = {
    "Ca": 0.1, "b0i": 33.3, "K5": 0.1, "CaM": 0.1, "L1": 0.1, "L2": 0.025, "L3": 0.32, "L4": 0.40, "k6": 6.0,
    "k7": 6.0, "PP10": 0.2, "k12": 6000.0, "KM": 0.4, "k11": 500.0, "km11": 0.1, "I10": 1.0, "Kdcan": 0.053,
    "ncan": 3.0, "kcan0": 0.1, "kcan": 18.0, "Kdpka": 0.11, "npka": 8.0, "kpka0": 0.00359, "kpka": 100.0,
}  # fmt: skip


def symbols(names: str):
    return [symbol(name) for name in names.split()]


def camkii_ring(*, keeps_moiety: bool = False) -> SymbolicProblem:
    """The CaMKII ring typed in by hand: 15 equations, or 16 with the unphosphorylated ring kept."""
    p = {name: symbol(name) for name in CAMKII_VALUES}
    B1, B2, B3, B4, B5, B6, B7, B8, B9, B10, B11, B12, B13 = rings = symbols(
        " ".join(f"B{i}" for i in range(1, 14))
    )
    B0 = symbol("B0") if keeps_moiety else p["b0i"] - sum(rings[1:], rings[0])
    PP1, I1P, Ca = symbol("PP1"), symbol("I1P"), p["Ca"]
    L1, L2, L3, L4 = p["L1"], p["L2"], p["L3"], p["L4"]
    C = p["CaM"] / (1 + L4 / Ca + L3 * L4 / Ca**2 + L2 * L3 * L4 / Ca**3 + L1 * L2 * L3 * L4 / Ca**4)
    g = C / (p["K5"] + C)
    a, b = p["k6"] * g * g, p["k7"] * g
    v_pka = p["kpka0"] + p["kpka"] / (1 + (p["Kdpka"] / C) ** p["npka"])
    v_can = p["kcan0"] + p["kcan"] / (1 + (p["Kdcan"] / C) ** p["ncan"])
    S = B1 + 2 * (B2 + B3 + B4) + 3 * (B5 + B6 + B7 + B8) + 4 * (B9 + B10 + B11) + 5 * B12 + 6 * B13
    k = p["k12"] * PP1 / (p["KM"] + S)
    bind = -p["k11"] * I1P * PP1 + p["km11"] * (p["PP10"] - PP1)
    rates = [
        6 * a * B0 - 4 * a * B1 - b * B1 - k * B1 + 2 * k * (B2 + B3 + B4),
        b * B1 + a * B1 - 3 * a * B2 - b * B2 - 2 * k * B2 + k * (2 * B5 + B6 + B7),
        2 * a * B1 - 2 * b * B3 - 2 * a * B3 - 2 * k * B3 + k * (B5 + B6 + B7 + 3 * B8),
        a * B1 - 2 * b * B4 - 2 * a * B4 - 2 * k * B4 + k * (B6 + B7),
        b * B2 + b * B3 + a * B2 - b * B5 - 2 * a * B5 - 3 * k * B5 + k * (2 * B9 + B10),
        a * B2 + a * B3 + 2 * b * B4 - a * B6 - 2 * b * B6 - 3 * k * B6 + k * (B9 + B10 + 2 * B11),
        a * B2 + b * B3 + 2 * a * B4 - a * B7 - 2 * b * B7 - 3 * k * B7 + k * (B9 + B10 + 2 * B11),
        a * B3 - 3 * b * B8 - 3 * k * B8 + k * B10,
        b * B5 + a * B5 + b * B6 + b * B7 - a * B9 - b * B9 - 4 * k * B9 + 2 * k * B12,
        a * B5 + a * B6 + b * B7 + 3 * b * B8 - 2 * b * B10 - 4 * k * B10 + 2 * k * B12,
        b * B6 + a * B7 - 2 * b * B11 - 4 * k * B11 + k * B12,
        b * B9 + a * B9 + 2 * b * B10 + 2 * b * B11 - b * B12 - 5 * k * B12 + 6 * k * B13,
        b * B12 - 6 * k * B13,
        bind,
        bind + v_pka * p["I10"] - v_can * I1P,
    ]
    names = [*(f"B{i}" for i in range(1, 14)), "PP1", "I1P"]
    start = np.zeros(15)
    start[13] = 0.2
    scale = np.array([33.3] * 13 + [0.2, 1.0])
    if keeps_moiety:
        names, start, scale = ["B0", *names], np.append(33.3, start), np.append(33.3, scale)
        rates.insert(0, -1 * sum(rates[1:13], rates[0]))
    return SymbolicProblem(
        names,
        list(CAMKII_VALUES),
        rates,
        default_state=start,
        default_values=np.array(list(CAMKII_VALUES.values())),
        scale=scale,
        is_positive=np.ones(len(names), bool),
        observables={"S": S},
    )


@pytest.fixture(scope="session")
def camkii():
    return camkii_ring()


@pytest.fixture(scope="session")
def camkii_with_moiety():
    return camkii_ring(keeps_moiety=True)


@pytest.fixture(scope="session")
def up_state():
    """Near the UP state at Ca = 0.1: nearly all rings fully phosphorylated."""
    x = np.full(15, 1e-6)
    x[12], x[13], x[14] = 33.0, 0.0011, 0.036
    return x


@pytest.fixture(scope="session")
def reaction_ab():
    """A -> B in a stirred tank: Uppal, Ray & Poore (1974) Chem. Eng. Sci. 29:967; AUTO demo ab."""
    u1, u2, D, B, beta = symbols("u1 u2 D B beta")
    rate = D * (1 - u1) * call("exp", u2)
    return SymbolicProblem(
        ("u1", "u2"),
        ("D", "B", "beta"),
        [rate - u1, B * rate - u2 - beta * u2],
        default_state=np.zeros(2),
        default_values=np.array([0.05, 18.0, 3.0]),
    )


@pytest.fixture(scope="session")
def cusp_form():
    x, mu, lam = symbols("x mu lambda")
    return SymbolicProblem(
        ("x",),
        ("mu", "lambda"),
        [mu + lam * x - x**3],
        default_state=np.array([-1.3]),
        default_values=np.array([-1.0, 1.0]),
    )


@pytest.fixture(scope="session")
def brusselator():
    x, y, A, B = symbols("x y A B")
    return SymbolicProblem(
        ("x", "y"),
        ("A", "B"),
        [A - (B + 1) * x + x * x * y, B * x - x * x * y],
        default_state=np.array([1.0, 1.0]),
        default_values=np.array([1.0, 1.0]),
    )


@pytest.fixture(scope="session")
def morris_lecar():
    """Morris & Lecar (1981) Biophys. J. 35:193, the parameter set with two Hopf points."""
    values = {
        "I": 0.0, "C": 20.0, "gL": 2.0, "gCa": 4.4, "gK": 8.0, "vL": -60.0, "vK": -84.0, "vCa": 120.0,
        "V1": -1.2, "V2": 18.0, "V3": 2.0, "V4": 30.0, "phi": 0.04,
    }  # fmt: skip
    I, C, gL, gCa, gK, vL, vK, vCa, V1, V2, V3, V4, phi = symbols(" ".join(values))
    v, w = symbols("v w")
    m = 0.5 * (1 + call("tanh", (v - V1) / V2))
    w_inf = 0.5 * (1 + call("tanh", (v - V3) / V4))
    speed = call("cosh", (v - V3) / (2 * V4))
    return SymbolicProblem(
        ("v", "w"),
        list(values),
        [
            (I - gL * (v - vL) - gCa * m * (v - vCa) - gK * w * (v - vK)) / C,
            phi * (w_inf - w) * speed,
        ],
        default_state=np.array([-60.0, 0.0]),
        default_values=np.array(list(values.values())),
        scale=np.array([50.0, 1.0]),
    )


@pytest.fixture(scope="session")
def bogdanov_takens_form():
    x, y, b1, b2 = symbols("x y b1 b2")
    return SymbolicProblem(
        ("x", "y"),
        ("b1", "b2"),
        [y, b1 + b2 * x + x * x + x * y],
        default_state=np.array([(1.0 - 3.0**0.5) / 2.0, 0.0]),
        default_values=np.array([-0.5, -1.0]),
    )


@pytest.fixture(scope="session")
def bautin_form():
    x, y, b1, b2 = symbols("x y b1 b2")
    r2 = x * x + y * y
    return SymbolicProblem(
        ("x", "y"),
        ("b1", "b2"),
        [b1 * x - y + b2 * x * r2 - x * r2 * r2, x + b1 * y + b2 * y * r2 - y * r2 * r2],
        default_state=np.zeros(2),
        default_values=np.array([-0.5, 0.5]),
    )
