"""A visit of sixteen synapses: calcium and efficacy at the present tick, and the jump of calcium.

With a jump and an exponential decay u = ln calcium falls by one per decay time.  With a saturating pump
u + exp(u) / half does, and all else stays as it is.  A slow rise cuts a visit into the sub-segments between
the moments at which calcium passes a threshold, found by bracketed Newton steps.
"""

from __future__ import annotations

import numpy as np
from numba import types

from cascades.network.constants import FLOOR, Pumped, Rising
from cascades.network.flow import (
    added_noise,
    chosen_by_type,
    grown,
    is_kind,
    rest_flow,
    well_flow,
    zone_flow,
)
from cascades.network.lanes import exponential, lane_function, logarithm
from cascades.network.memory import gather_ints, scatter_floats
from cascades.network.vectors import choose, floats, from_bits, fused, greater, lesser, to_floats

NEWTON_STEPS = 6  # of the inverse of the pump, from above
CROSSING_STEPS = 14  # bracketed Newton steps: 2**-14 of the bracket at the very worst
TINY = 1e-9


@lane_function
def visited(rule, u, rho, last, now, target, number):  # type: ignore[no-untyped-def]
    """(ln calcium, efficacy) at tick `now`, for synapses that were visited at the ticks `last`."""
    return fallen(rule.shape, rule, u, rho, last, to_floats(now - last) * rule.calcium.tick, target, number)


@lane_function
def raised(u, jump):  # type: ignore[no-untyped-def]
    """ln calcium after calcium has jumped."""
    return logarithm(exponential(u) + jump)


def fallen(shape, rule, u, rho, last, h, target, number):  # type: ignore[no-untyped-def]
    """`visited` after h decay times."""
    raise TypeError("called from Python")


def note_slow(shape, tick, number, last, now, jump):  # type: ignore[no-untyped-def]
    """Bring the second amplitude of synapses to tick `now` and let it jump; nothing where there is none."""
    raise TypeError("called from Python")


@lane_function
def moved(rule, u, u1, rho, last, h, target, number):  # type: ignore[no-untyped-def]
    """The efficacy while the coordinate of the thresholds falls from u to u1."""
    rho, variance, above, tail = zone_flow(rule.drift, rule.noise, rule.well, u, u1, h, rho, target)
    rho = added_noise(rule.noise, rho, variance, number, last)
    return rest_flow(rule.rest, rule.well, rule.drift, rho, tail * 0.5, h - above, target)


@lane_function
def pumped_down(ln_half, s):  # type: ignore[no-untyped-def]
    """u where u + exp(u - ln_half) = s."""
    r = s - ln_half
    v = choose(r > 1.0, logarithm(greater(r, 1.0)), r)
    for _ in range(NEWTON_STEPS):
        size = exponential(v)
        v = fused(size, v - 1.0, r) / (size + 1.0)
    return v + ln_half


@lane_function
def crossing(fast, slow, ratio, level, low, high, sign):  # type: ignore[no-untyped-def]
    """When fast exp(-t) - slow exp(-ratio t) passes `level` between `low` and `high`; sign 1: falling, -1:
    rising."""
    t = (low + high) * 0.5
    for _ in range(CROSSING_STEPS):
        first, second = fast * exponential(t * -1.0), slow * exponential(t * (ratio * -1.0))
        excess, slope = first - second - level, fused(second, floats(ratio), first * -1.0)
        is_before = excess * sign > 0.0
        low, high = choose(is_before, t, low), choose(is_before, high, t)
        flat = (slope < TINY) & (slope > -TINY)
        t = t - excess / choose(flat, floats(TINY), slope)
        t = choose((t > low) & (t < high), t, (low + high) * 0.5)
    return t


@lane_function
def times_above(u, fast, slow, ratio, peak, ln_level, h):  # type: ignore[no-untyped-def]
    """(begin, end) of the time above a level within h; both h where it is not reached."""
    level = exponential(floats(ln_level))
    top = fast * exponential(peak * -1.0) - slow * exponential(peak * (ratio * -1.0))
    begin = crossing(fast, slow, ratio, level, floats(0.0), peak, -1.0)
    begin = choose(fast - slow >= level, floats(0.0), begin)
    end = crossing(fast, slow, ratio, level, peak, greater(u - ln_level, peak), 1.0)
    is_reached = top > level
    return lesser(choose(is_reached, begin, h), h), lesser(choose(is_reached, end, h), h)


@lane_function
def rising_variance(noise, drift, decay_first, decay_high, decay_second):  # type: ignore[no-untyped-def]
    """Variance that noise adds between the thresholds, above both, and between them again."""
    variance = floats(0.0)
    if noise is not None:
        middle, size = floats(drift.rate_middle), noise.variance
        variance = grown(size, 1.0, middle, decay_first) * (decay_high * decay_high)
        variance = variance + grown(size, 2.0, floats(drift.rate_high), decay_high)
        variance = variance * (decay_second * decay_second) + grown(size, 1.0, middle, decay_second)
    return variance


@chosen_by_type(fallen)
def _fallen(shape, rule, u, rho, last, h, target, number):  # type: ignore[no-untyped-def]
    if shape is types.none:

        def exponentially(shape, rule, u, rho, last, h, target, number):  # type: ignore[no-untyped-def]
            return greater(u - h, FLOOR), moved(rule, u, u - h, rho, last, h, target, number)

        return exponentially
    if is_kind(shape, Pumped):

        def pumped(shape, rule, u, rho, last, h, target, number):  # type: ignore[no-untyped-def]
            s = u + exponential(u - shape.ln_half)
            rho = moved(rule, s, s - h, rho, last, h, target, number)
            return greater(pumped_down(shape.ln_half, s - h), FLOOR), rho

        return pumped

    def rising(shape, rule, u, rho, last, h, target, number):  # type: ignore[no-untyped-def]
        drift, ratio = rule.drift, shape.ratio
        fast, slow = exponential(u), from_bits(gather_ints(shape.slow.view(np.int32), number))
        peak = logarithm(greater(slow * ratio / fast, 1e-30)) * (1.0 / (ratio - 1.0))
        peak = greater(peak, 0.0)
        begin, end = times_above(u, fast, slow, ratio, peak, drift.ln_low, h)
        high_begin, high_end = times_above(u, fast, slow, ratio, peak, drift.ln_high, h)
        # where the higher threshold is not reached, nothing of the time is above it
        high_begin, high_end = lesser(high_begin, end), lesser(high_end, end)
        first, high, second = high_begin - begin, high_end - high_begin, end - high_end
        rho = rest_flow(rule.rest, rule.well, drift, rho, floats(0.0), begin, target)
        rho = well_flow(rule.well, rho, (end - begin) * 0.5)
        decay_first = exponential(first * -drift.rate_middle)
        decay_high = exponential(high * -drift.rate_high)
        decay_second = exponential(second * -drift.rate_middle)
        rho = fused(rho - drift.aim_middle, decay_first, drift.aim_middle)
        rho = fused(rho - drift.aim_high, decay_high, drift.aim_high)
        rho = fused(rho - drift.aim_middle, decay_second, drift.aim_middle)
        variance = rising_variance(rule.noise, drift, decay_first, decay_high, decay_second)
        rho = added_noise(rule.noise, rho, variance, number, last)
        rho = rest_flow(rule.rest, rule.well, drift, rho, (end - begin) * 0.5, h - end, target)
        return greater(u - h, FLOOR), rho

    return rising


@chosen_by_type(note_slow)
def _note_slow(shape, tick, number, last, now, jump):  # type: ignore[no-untyped-def]
    if not is_kind(shape, Rising):
        return lambda shape, tick, number, last, now, jump: None

    def noted(shape, tick, number, last, now, jump):  # type: ignore[no-untyped-def]
        h = to_floats(now - last) * tick
        slow = from_bits(gather_ints(shape.slow.view(np.int32), number))
        scatter_floats(shape.slow, number, fused(slow, exponential(h * (shape.ratio * -1.0)), jump))

    return noted
