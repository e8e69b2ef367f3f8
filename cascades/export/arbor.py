"""Arbor: the rule as a point mechanism in NMODL, clock-driven and first order in the time step.

Conventions of Arbor that the code follows: `POST_EVENT` brings the spikes of the cell, one statement per
line, no delay of its own: give the connection the calcium delay, and transmit by another connection.
"""

from __future__ import annotations

from cascades.export.clocked import rates_of
from cascades.export.features import (
    ALONE,
    CUBIC_WELL,
    FILTER,
    FIRST_ORDER,
    GRADED,
    NOISE,
    STEPS,
    TABLE_WELL,
    heading,
    require,
    rule_of,
)
from cascades.export.well import slope
from cascades.network.constants import MS_PER_S
from cascades.network.network import Network
from cascades.reduction.rule import CalciumRule

TARGET = "Arbor"
KNOWN = dict.fromkeys((STEPS, CUBIC_WELL, TABLE_WELL, NOISE, GRADED, FILTER), FIRST_ORDER)


def files(source: CalciumRule | Network) -> dict[str, str]:
    """File name to content; of a network, its rule."""
    rule = rule_of(source, TARGET)
    require(rule, TARGET, KNOWN)
    if isinstance(source, Network):
        require(source, TARGET, ALONE)
    return {"calcium_rule.mod": mechanism(rule)}


def mechanism(rule: CalciumRule) -> str:
    """The source of `calcium_rule.mod`.  Rates are per ms."""
    trace = rule.calcium
    values = {"rho0": 0.5, "c_pre": trace.pre, "c_post": trace.post, "tau_ca": trace.tau * MS_PER_S}
    is_noisy, is_filtered = rule.sigma > 0.0, rule.filter is not None
    if rule.filter is not None:
        values["m0"] = float(rule.filter.resting(trace.rest))
    lines = "".join(f"  {name} = {value!r}\n" for name, value in values.items())
    late = trace.delay * MS_PER_S
    names = ["up", "down", "well", *(["spread"] if is_noisy else []), *(["on", "off"] if is_filtered else [])]
    return f"""{heading(rule, ":")}: Connect presynaptic neurons with a delay of {late!r} ms.
NEURON {{
  POINT_PROCESS calcium_rule
  RANGE {", ".join(values)}
  NONSPECIFIC_CURRENT i
}}
PARAMETER {{
{lines}}}
STATE {{ c rho{" m" if is_filtered else ""} }}
{"WHITE_NOISE { kick }" + chr(10) if is_noisy else ""}INITIAL {{
  c = 0
  rho = rho0
{"  m = m0" + chr(10) if is_filtered else ""}}}
BREAKPOINT {{
  SOLVE flow METHOD {"stochastic" if is_noisy else "cnexp"}
  i = 0
}}
DERIVATIVE flow {{
  LOCAL {", ".join(names)}
{_rates(rule)}}}
NET_RECEIVE(weight) {{
  c = c + c_pre
}}
POST_EVENT(time) {{
  c = c + c_post
}}
"""


def _rates(rule: CalciumRule) -> str:
    """The body of the DERIVATIVE block."""

    def clip(x: str, low: str, high: str) -> str:
        return f"min(max({x}, {low}), {high})"

    rates = rates_of(rule, lambda x, theta: f"step_right({x} - {theta!r})", clip)
    lines = [f"up = {rates.up}/{MS_PER_S}", f"down = {rates.down}/{MS_PER_S}"]
    if rule.filter is not None:
        lines += [f"on = {rates.on}/{MS_PER_S}", f"off = {rates.off}/{MS_PER_S}"]
        lines.append("m' = on - (on + off + 1e-12)*m")
    # cnexp wants equations that are linear in the state, and divides by the rate: the well acts as a
    # constant over one step
    lines.append(f"well = ({slope(rule, 'rho', clip)})/{rule.calcium.tau * MS_PER_S!r}")
    lines.append("c' = -c/tau_ca")
    kick = ""
    if rule.sigma > 0.0:
        lines.append(f"spread = {rule.sigma / (rule.tau * MS_PER_S) ** 0.5!r}*sqrt({rates.above})")
        kick = " + spread*kick"
    lines.append(f"rho' = up + well - (up + down + 1e-12)*rho{kick}")
    return "".join(f"  {line}\n" for line in lines)
