"""Arbor: the rule as a point mechanism in NMODL, clock-driven and first order in the time step.

Conventions of Arbor that the code follows: `POST_EVENT` brings the spikes of the cell, one statement per
line, no delay of its own: give the connection the calcium delay, and transmit by another connection.
"""

from __future__ import annotations

from cascades.export.features import heading, require, rule_of
from cascades.network.constants import MS_PER_S
from cascades.network.network import Network
from cascades.reduction.rule import CalciumRule

TARGET = "Arbor"


def files(source: CalciumRule | Network) -> dict[str, str]:
    """File name to content; of a network, its rule."""
    rule = rule_of(source, TARGET)
    require(rule, TARGET)
    return {"calcium_rule.mod": mechanism(rule)}


def mechanism(rule: CalciumRule) -> str:
    """The source of `calcium_rule.mod`."""
    trace = rule.calcium
    late = trace.delay * MS_PER_S
    values = {
        "rho0": 0.5,
        "c_pre": trace.pre,
        "c_post": trace.post,
        "above_d": rule.theta_d - trace.rest,
        "above_p": rule.theta_p - trace.rest,
        "gamma_d": rule.gamma_d / MS_PER_S,
        "gamma_p": rule.gamma_p / MS_PER_S,
        "rho_star": rule.rho_star,
        "tau_ca": trace.tau * MS_PER_S,
        "tau_rho": rule.tau * MS_PER_S,
    }
    # the well as a rate of its own keeps the equation linear in rho, as cnexp wants it; cnexp divides by the
    # rate
    pull = "  pull = 1e-12\n"
    if rule.well == "cubic":
        pull = "  pull = (1 - rho)*(rho_star - rho)/tau_rho + 1e-12\n"
    lines = "".join(f"  {name} = {value!r}\n" for name, value in values.items())
    return f"""{heading(rule, ":")}: Connect presynaptic neurons with a delay of {late!r} ms.
NEURON {{
  POINT_PROCESS calcium_rule
  RANGE {", ".join(values)}
  NONSPECIFIC_CURRENT i
}}
PARAMETER {{
{lines}}}
STATE {{ c rho }}
INITIAL {{
  c = 0
  rho = rho0
}}
BREAKPOINT {{
  SOLVE flow METHOD cnexp
  i = 0
}}
DERIVATIVE flow {{
  LOCAL up, down, pull
  up = gamma_p*step_right(c - above_p)
  down = gamma_d*step_right(c - above_d)
{pull}  c' = -c/tau_ca
  rho' = up - (up + down + pull)*rho
}}
NET_RECEIVE(weight) {{
  c = c + c_pre
}}
POST_EVENT(time) {{
  c = c + c_post
}}
"""
