"""Following a curve of periodic orbits, on a mesh that adapts itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cascades.continuation.arclength import OUT_OF_POINTS, CurvePoint, correct, follow, point_at
from cascades.continuation.branch import SpecialPoint
from cascades.continuation.collocation import OrbitCurve, adapted, moved
from cascades.continuation.one_parameter import INTERRUPTED
from cascades.continuation.orbit_branch import OrbitBranch, orbit_at
from cascades.continuation.orbit_events import n_outside, orbit_events
from cascades.continuation.settings import ContinuationSettings

ADAPT_EVERY = 3
LONGEST = 1e4  # times the first period: an orbit this long is next to a homoclinic one


def trace_orbits(
    curve: OrbitCurve, first: CurvePoint, parameter: str, settings: ContinuationSettings
) -> OrbitBranch:
    """The branch from its first point in the direction of its tangent."""
    gathered = [(curve, first)]
    special: list[SpecialPoint] = []
    dropped: list[str] = []
    reason = f"{settings.most_points} {OUT_OF_POINTS}"
    longest = LONGEST * _period(curve, first) if curve.cycle.has_phase else np.inf
    here = first
    h = settings.first_step
    try:
        while len(gathered) < settings.most_points:
            curve, here = remeshed(curve, here)
            last = here
            for count, step in enumerate(follow(curve, here, replace(settings, first_step=h))):
                last = step.after
                reason = step.reason
                if step.after is step.before:
                    break
                if _shrinks(curve, step.before, step.after):
                    reason = "the orbit shrinks to a Hopf point"
                    break
                found, lost = orbit_events(curve, step.before, step.after)
                special += found
                dropped += lost
                gathered.append((curve, step.after))
                if _period(curve, step.after) > longest:
                    reason = "the period grows without bound: a homoclinic orbit is near"
                h = float(np.linalg.norm(step.after.u - step.before.u)) * 1.3
                if reason or count + 1 >= ADAPT_EVERY:
                    break
            if reason or last is here:
                break
            here = last
    except KeyboardInterrupt:
        reason = INTERRUPTED
    orbits = tuple(orbit_at(c, point) for c, point in gathered)
    return OrbitBranch(
        parameter=parameter,
        values=np.array([c.cycle.value(point.u[-c.cycle.n_free :]) for c, point in gathered]),
        periods=np.array([orbit.period for orbit in orbits]),
        n_unstable=np.array([n_outside(orbit.multipliers, curve.cycle) for orbit in orbits]),
        orbits=orbits,
        special_points=tuple(special),
        stopped_because=reason,
        dropped=tuple(dropped),
    )


def remeshed(curve: OrbitCurve, point: CurvePoint) -> tuple[OrbitCurve, CurvePoint]:
    """The same orbit on an adapted mesh, as its own reference for the phase."""
    nodes, w = curve.unpack(point.u)
    ahead, w_ahead = curve.unpack(point.u + point.tangent)
    size = curve.cycle.typical_sizes(curve.problem, nodes)
    mesh = adapted(curve.mesh, nodes, size, curve.resolution)
    both = moved(curve.mesh, mesh, np.concatenate([nodes, ahead - nodes], axis=2))
    n = curve.n
    renewed = replace(curve, mesh=mesh, reference=both[..., :n], size=size)
    tangent = renewed.pack(both[..., n:], w_ahead - w)
    tangent /= np.linalg.norm(tangent)
    found = correct(renewed, renewed.pack(both[..., :n], w), tangent, 1e-9)
    if found is None:
        return curve, point
    return renewed, point_at(renewed, found[0], tangent)


def _shrinks(curve: OrbitCurve, a: CurvePoint, b: CurvePoint) -> bool:
    """Whether the orbit vanishes between two points: beyond it comes back turned by half a period."""
    if not curve.cycle.has_phase:
        return False
    first, second = (curve.unpack(point.u)[0] / curve.size for point in (a, b))
    first, second = first - first.mean(axis=(0, 1)), second - second.mean(axis=(0, 1))
    return bool(np.sum(first * second) < 0.0)


def _period(curve: OrbitCurve, point: CurvePoint) -> float:
    return float(curve.cycle.durations(point.u[-curve.cycle.n_free :])[0].sum())
