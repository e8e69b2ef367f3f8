"""How the efficacies of sixteen synapses move while calcium falls: zones and tables, rest, wells, noise.

Each function is chosen by the types of the rule's constants (`cascades.network.constants`) when numba
compiles, so that a kernel contains only what its rule needs.  Where a well acts together with the rates
above a threshold, the two are split symmetrically (Strang 1968, SIAM J. Numer. Anal. 5:506): the well moves
by 0.1 / tau at most while the rates are some hundred times that, which leaves an error of third order in a
visit.
"""

from __future__ import annotations

from typing import Any

from numba import types
from numba.extending import overload

from cascades.network.compiled import UNCOUNTED
from cascades.network.constants import (
    TABLE_ROWS,
    WELL_ROWS,
    CubicWell,
    Curve,
    EvenWell,
    NeuronSteps,
    Steps,
    TableWell,
)
from cascades.network.lanes import exponential, lane_function, normal
from cascades.network.memory import gather_pairs
from cascades.network.vectors import (
    any_lane,
    floats,
    fused,
    greater,
    largest,
    lesser,
    square_root,
    to_floats,
    to_ints,
)

INLINE = {**UNCOUNTED, "forceinline": True, "no_cpython_wrapper": True}
WELL_STEP = 0.1  # of the fastest time of the well, per Runge-Kutta step: an error below 1e-7
WELL_SETTLED = 100.0  # after so many of these times nothing moves any more


def is_kind(given: Any, kind: type) -> bool:
    return isinstance(given, types.BaseNamedTuple) and given.instance_class is kind


def chosen_by_type(stub: Any) -> Any:
    return overload(stub, jit_options=INLINE, strict=False)


def zone_flow(drift, noise, well, u, u1, h, rho, target):  # type: ignore[no-untyped-def]
    """Through the zones above rest: (efficacy, its variance, time above rest, the well's part still to
    come)."""
    raise TypeError("called from Python")


def rest_flow(rest, well, drift, rho, before, h, target):  # type: ignore[no-untyped-def]
    """What is left of a visit: the well's last part above rest (`before`), then the time `h` at rest."""
    raise TypeError("called from Python")


def well_flow(well, rho, h):  # type: ignore[no-untyped-def]
    """The well alone for the time `h`."""
    raise TypeError("called from Python")


def added_noise(noise, rho, variance, number, last):  # type: ignore[no-untyped-def]
    """The efficacy with one normal number of the given variance; counted by synapse and last visit."""
    raise TypeError("called from Python")


# ---------------------------------------------------------------------------------- zones
@lane_function
def time_above(u, u1, ln_threshold):  # type: ignore[no-untyped-def]
    """Part of the fall from u to u1 that lies above a threshold."""
    return greater(u - ln_threshold, 0.0) - greater(u1 - ln_threshold, 0.0)


@lane_function
def grown(variance, count, rate, decay):  # type: ignore[no-untyped-def]
    """Variance that is added in one zone with `count` thresholds exceeded, where the efficacy decays by
    `decay`."""
    return (1.0 - decay * decay) * (variance * count * 0.5) / greater(rate, 1e-9)


@chosen_by_type(zone_flow)
def _zone_flow(drift, noise, well, u, u1, h, rho, target):  # type: ignore[no-untyped-def]
    quiet = noise is types.none
    if is_kind(drift, Steps):

        def steps(drift, noise, well, u, u1, h, rho, target):  # type: ignore[no-untyped-def]
            high = time_above(u, u1, drift.ln_high)
            middle = time_above(u, u1, drift.ln_low) - high
            rho = well_flow(well, rho, high * 0.5)
            decay_high = exponential(high * -drift.rate_high)
            rho = fused(rho - drift.aim_high, decay_high, drift.aim_high)
            rho = well_flow(well, rho, (high + middle) * 0.5)
            decay = exponential(middle * -drift.rate_middle)
            rho = fused(rho - drift.aim_middle, decay, drift.aim_middle)
            return rho, floats(0.0), middle + high, middle

        def noisy_steps(drift, noise, well, u, u1, h, rho, target):  # type: ignore[no-untyped-def]
            high = time_above(u, u1, drift.ln_high)
            middle = time_above(u, u1, drift.ln_low) - high
            rho = well_flow(well, rho, high * 0.5)
            decay_high = exponential(high * -drift.rate_high)
            rho = fused(rho - drift.aim_high, decay_high, drift.aim_high)
            rho = well_flow(well, rho, (high + middle) * 0.5)
            decay = exponential(middle * -drift.rate_middle)
            rho = fused(rho - drift.aim_middle, decay, drift.aim_middle)
            variance = grown(noise.variance, 2.0, floats(drift.rate_high), decay_high) * (decay * decay)
            variance = variance + grown(noise.variance, 1.0, floats(drift.rate_middle), decay)
            return rho, variance, middle + high, middle

        return steps if quiet else noisy_steps
    if is_kind(drift, NeuronSteps):

        def neuron_steps(drift, noise, well, u, u1, h, rho, target):  # type: ignore[no-untyped-def]
            ln_high, ln_low, rate_high, aim_high = gather_pairs(drift.zones, target << 2)
            rate_middle, aim_middle, _, _ = gather_pairs(drift.zones, (target << 2) + 2)
            high = time_above(u, u1, ln_high)
            middle = time_above(u, u1, ln_low) - high
            rho = well_flow(well, rho, high * 0.5)
            decay_high = exponential(high * rate_high * -1.0)
            rho = fused(rho - aim_high, decay_high, aim_high)
            rho = well_flow(well, rho, (high + middle) * 0.5)
            decay = exponential(middle * rate_middle * -1.0)
            rho = fused(rho - aim_middle, decay, aim_middle)
            variance = floats(0.0)
            if noise is not None:
                variance = grown(noise.variance, 2.0, rate_high, decay_high) * (decay * decay)
                variance = variance + grown(noise.variance, 1.0, rate_middle, decay)
            return rho, variance, middle + high, middle

        return neuron_steps
    if is_kind(drift, Curve):

        def graded(drift, noise, well, u, u1, h, rho, target):  # type: ignore[no-untyped-def]
            last_row = TABLE_ROWS - 0.0
            top = lesser(greater((u - drift.low) * drift.per_unit, 0.0), last_row)
            end = lesser(greater((u1 - drift.low) * drift.per_unit, 0.0), last_row)
            above = (top - end) * (1.0 / drift.per_unit)
            rho = well_flow(well, rho, above * 0.5)
            i, j = to_ints(top), to_ints(end)
            x, y = top - to_floats(i), end - to_floats(j)
            a0, p0, a1, p1 = gather_pairs(drift.rows, i)
            a_top, p_top = fused(x, a1 - a0, a0), fused(x, p1 - p0, p0)
            a0, p0, a1, p1 = gather_pairs(drift.rows, j)
            a_end, p_end = fused(y, a1 - a0, a0), fused(y, p1 - p0, p0)
            decay = exponential(a_end - a_top)
            rho = fused(rho - p_top, decay, p_end)
            variance = floats(0.0)
            if noise is not None:
                v0, _, v1, _ = gather_pairs(drift.spread, i)
                v_top = fused(x, v1 - v0, v0)
                v0, _, v1, _ = gather_pairs(drift.spread, j)
                v_end = fused(y, v1 - v0, v0)
                variance = greater(v_end - v_top * (decay * decay), 0.0)
            return rho, variance, above, above

        return graded
    return None


@chosen_by_type(added_noise)
def _added_noise(noise, rho, variance, number, last):  # type: ignore[no-untyped-def]
    if noise is types.none:
        return lambda noise, rho, variance, number, last: rho

    def added(noise, rho, variance, number, last):  # type: ignore[no-untyped-def]
        if any_lane(variance > 0.0):
            rho = fused(square_root(variance), normal(number, last, noise.key), rho)
        return rho

    return added


# ---------------------------------------------------------------------------------- rest and wells
@chosen_by_type(rest_flow)
def _rest_flow(rest, well, drift, rho, before, h, target):  # type: ignore[no-untyped-def]
    if is_kind(well, CubicWell) or is_kind(well, TableWell):

        def in_well(rest, well, drift, rho, before, h, target):  # type: ignore[no-untyped-def]
            rho = pulled(well, rho, before, 0.0, 0.0)
            return pulled(well, rho, h, well.rest_up, well.rest_down)

        return in_well
    if is_kind(drift, NeuronSteps):

        def neuron_rest(rest, well, drift, rho, before, h, target):  # type: ignore[no-untyped-def]
            rho = well_flow(well, rho, before)
            _, _, rate, aim = gather_pairs(drift.zones, (target << 2) + 2)
            if any_lane(rate > 0.0):
                rho = well_flow(well, rho, h * 0.5)
                rho = fused(rho - aim, exponential(h * rate * -1.0), aim)
                rho = well_flow(well, rho, h * 0.5)
            else:
                rho = well_flow(well, rho, h)
            return rho

        return neuron_rest
    if rest is types.none:
        return lambda rest, well, drift, rho, before, h, target: well_flow(well, rho, before + h)

    def plain(rest, well, drift, rho, before, h, target):  # type: ignore[no-untyped-def]
        rho = well_flow(well, rho, before)
        return fused(rho - rest.aim, exponential(h * -rest.rate), rest.aim)

    return plain


@chosen_by_type(well_flow)
def _well_flow(well, rho, h):  # type: ignore[no-untyped-def]
    if is_kind(well, EvenWell):

        def even(well, rho, h):  # type: ignore[no-untyped-def]
            # x = rho - 1/2 obeys x' = x (1/4 - x^2) / tau: logistic in x^2
            x = rho - 0.5
            square = x * x
            left = exponential(h * (well.rate * -0.5))
            return fused(x * 0.5, 1.0 / square_root(fused(0.25 - square, left, greater(square, 1e-30))), 0.5)

        return even
    if is_kind(well, CubicWell) or is_kind(well, TableWell):
        return lambda well, rho, h: pulled(well, rho, h, 0.0, 0.0)
    return lambda well, rho, h: rho


def slope(well, rho, up, down):  # type: ignore[no-untyped-def]
    """The drift of the well plus rates `up` and `down`."""
    raise TypeError("called from Python")


def fastest(well, up, down):  # type: ignore[no-untyped-def]
    """A bound on how fast the drift changes with the efficacy."""
    raise TypeError("called from Python")


@chosen_by_type(slope)
def _slope(well, rho, up, down):  # type: ignore[no-untyped-def]
    if is_kind(well, CubicWell):

        def cubic(well, rho, up, down):  # type: ignore[no-untyped-def]
            return rho * (1.0 - rho) * (rho - well.star) * well.rate + up * (1.0 - rho) - rho * down

        return cubic

    def tabulated(well, rho, up, down):  # type: ignore[no-untyped-def]
        x = (rho - well.low) * well.per_unit
        row = to_ints(lesser(greater(x, 0.0), WELL_ROWS - 1.0))
        drift, rise, _, _ = gather_pairs(well.rows, row)
        return fused(x - to_floats(row), rise, drift) + up * (1.0 - rho) - rho * down

    return tabulated


@chosen_by_type(fastest)
def _fastest(well, up, down):  # type: ignore[no-untyped-def]
    if is_kind(well, CubicWell):
        return lambda well, up, down: well.rate + up + down
    return lambda well, up, down: well.steepest + up + down


@lane_function
def pulled(well, rho, h, up, down):  # type: ignore[no-untyped-def]
    """The well together with constant rates for the time `h`, by classical Runge-Kutta steps."""
    fast = fastest(well, up, down)
    h = lesser(h, WELL_SETTLED / fast)
    steps = int(largest(h) * fast * (1.0 / WELL_STEP)) + 1
    step = h * (1.0 / steps)
    for _ in range(steps):
        k1 = slope(well, rho, up, down)
        k2 = slope(well, fused(step * 0.5, k1, rho), up, down)
        k3 = slope(well, fused(step * 0.5, k2, rho), up, down)
        k4 = slope(well, fused(step, k3, rho), up, down)
        rho = fused(step * (1.0 / 6.0), k1 + k4 + (k2 + k3) * 2.0, rho)
    return rho
