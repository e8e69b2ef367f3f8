"""Special points between two consecutive orbits of a branch, each confirmed on a finer mesh.

A fold, a period doubling or a torus that moves when the mesh is made finer is a property of the mesh:
it is dropped and reported, never printed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from cascades.continuation.arclength import CurvePoint, correct, point_at
from cascades.continuation.branch import SpecialPoint
from cascades.continuation.collocation import Condensed, Cycle, OrbitCurve, divided, moved
from cascades.continuation.orbit_branch import orbit_at

REFINED = 1e-9
STAYS = 1e-5  # of its value: how far a point may move on the finer mesh
MARGIN = 0.3  # of the distance of two orbits: how far beyond them it is looked for there
SECANTS = 60
ADVICE = "ask for more intervals or a smaller error"

Test = Callable[[CurvePoint], float]


def n_outside(values: np.ndarray, cycle: Cycle) -> int:
    """Multipliers outside the unit circle, the trivial one left out."""
    return int(np.count_nonzero(np.abs(_without_trivial(values, cycle)) > 1.0))


def orbit_events(curve: OrbitCurve, a: CurvePoint, b: CurvePoint) -> tuple[list[SpecialPoint], list[str]]:
    """Confirmed special points between two orbits, and sentences about those that are not."""
    found: list[SpecialPoint] = []
    dropped: list[str] = []
    for kind, test in _suspected(curve.cycle, a, b):
        point = _confirmed(curve, a, b, kind, test)
        if isinstance(point, SpecialPoint):
            found.append(point)
        else:
            dropped.append(point)
    return found, dropped


def _suspected(cycle: Cycle, a: CurvePoint, b: CurvePoint) -> list[tuple[str, Test]]:
    before, after = _multipliers(a), _multipliers(b)
    tests: list[tuple[str, Test]] = []
    if a.tangent[-1] * b.tangent[-1] < 0.0:
        tests.append(("fold of cycles", lambda p: float(p.tangent[-1])))
    if _doubling(before, cycle) * _doubling(after, cycle) < 0.0:
        tests.append(("period doubling", lambda p: _doubling(_multipliers(p), cycle)))
    pairs = [np.count_nonzero((np.abs(v) > 1.0) & (np.abs(v.imag) > 1e-9)) for v in (before, after)]
    if abs(pairs[0] - pairs[1]) == 2 and abs(n_outside(before, cycle) - n_outside(after, cycle)) == 2:
        tests.append(("neimark-sacker", lambda p: _torus(_multipliers(p))))
    return tests


def _confirmed(curve: OrbitCurve, a: CurvePoint, b: CurvePoint, kind: str, test: Test) -> SpecialPoint | str:
    """The point as the finer mesh has it, with the change from this mesh as its error."""
    place = f"a {kind} near {curve.cycle.name} = {_value(curve, a):.6g}"
    coarse = _zero(curve, a, b, test)
    if coarse is None:
        return f"{place} could not be refined"
    margin = MARGIN * float(np.linalg.norm(b.u - a.u))
    ends = [_on_finer_mesh(curve, point, shift) for point, shift in ((a, -margin), (b, margin))]
    fine_curve = _finer(curve)
    fine = None if ends[0] is None or ends[1] is None else _zero(fine_curve, ends[0], ends[1], test)
    if fine is None:
        return f"{place} is not there on a finer mesh: {ADVICE}"
    value = _value(fine_curve, fine)
    error = abs(value - _value(curve, coarse))
    if error > STAYS * abs(value):
        return f"{place} moves by {error:.2g} on a finer mesh: {ADVICE}"
    return _special(fine_curve, fine, kind, error)


def _finer(curve: OrbitCurve) -> OrbitCurve:
    mesh = divided(curve.mesh)
    return replace(curve, mesh=mesh, reference=moved(curve.mesh, mesh, curve.reference))


def _on_finer_mesh(curve: OrbitCurve, point: CurvePoint, shift: float) -> CurvePoint | None:
    """A point, shifted along its tangent, on the curve of the finer mesh."""
    fine = _finer(curve)

    def packed(u: np.ndarray) -> np.ndarray:
        nodes, w = curve.unpack(u)
        return fine.pack(moved(curve.mesh, fine.mesh, nodes), w)

    u = packed(point.u + shift * point.tangent)
    row = packed(point.u + (shift + 1.0) * point.tangent) - u
    row /= np.linalg.norm(row)
    found = correct(fine, u, row, REFINED)
    return None if found is None else point_at(fine, found[0], row)


def _zero(curve: OrbitCurve, a: CurvePoint, b: CurvePoint, test: Test) -> CurvePoint | None:
    """The zero of a test function between two orbits, by the secant method with bisection."""
    low, high, f_low, f_high = a, b, test(a), test(b)
    if not np.isfinite(f_low + f_high) or f_low * f_high > 0.0:
        return None
    middle = low
    for k in range(SECANTS):
        weight = f_low / (f_low - f_high) if k % 3 != 2 else 0.5
        found = correct(curve, low.u + weight * (high.u - low.u), a.tangent, REFINED)
        if found is None:
            return None
        middle = point_at(curve, found[0], a.tangent)
        f = test(middle)
        if not np.isfinite(f):
            return None
        if f * f_low > 0.0:
            low, f_low = middle, f
        else:
            high, f_high = middle, f
        if abs(f) < REFINED or np.linalg.norm(high.u - low.u) < REFINED:
            break
    return middle


def _special(curve: OrbitCurve, point: CurvePoint, kind: str, error: float) -> SpecialPoint:
    orbit = orbit_at(curve, point)
    problem, x = orbit.problem, orbit.states[0]
    full = problem.expand(x, orbit.q)
    value = _value(curve, point)
    return SpecialPoint(
        kind=kind,
        value=value,
        values={curve.cycle.name: value},
        state=dict(zip(problem.full_names, full.tolist(), strict=True)),
        eigenvalues=orbit.multipliers,
        coefficients={"period": orbit.period, "error": error},
        problem=problem,
        x=x,
        q=orbit.q,
    )


def _value(curve: OrbitCurve, point: CurvePoint) -> float:
    return curve.cycle.value(point.u[-curve.cycle.n_free :])


def _multipliers(point: CurvePoint) -> np.ndarray:
    return point.linear.multipliers if isinstance(point.linear, Condensed) else np.empty(0)


def _without_trivial(values: np.ndarray, cycle: Cycle) -> np.ndarray:
    return np.delete(values, np.argmin(np.abs(values - 1.0))) if cycle.has_phase else values


def _doubling(values: np.ndarray, cycle: Cycle) -> float:
    others = _without_trivial(values, cycle)
    return float(np.prod(np.sign((others + 1.0).real)) * np.abs(others + 1.0).min()) if others.size else 1.0


def _torus(values: np.ndarray) -> float:
    pairs = values[values.imag > 1e-9]
    return float(np.abs(pairs[np.argmin(np.abs(np.abs(pairs) - 1.0))]) - 1.0) if pairs.size else np.nan
