"""NEURON: the rule as an artificial cell in NMODL, event-driven and exact at any spike times.

Conventions of NEURON that the code follows: one NetCon of positive weight per presynaptic neuron, one of
negative weight per postsynaptic neuron; the calcium delay is a self event, of which several may be under way.
"""

from __future__ import annotations

from cascades.export.features import ZONES, heading, numbers, require, rule_of
from cascades.network.network import Network
from cascades.reduction.rule import CalciumRule

TARGET = "NEURON"


def files(source: CalciumRule | Network) -> dict[str, str]:
    """File name to content; of a network, its rule."""
    rule = rule_of(source, TARGET)
    require(rule, TARGET)
    return {"calcium_rule.mod": mechanism(rule)}


def mechanism(rule: CalciumRule) -> str:
    """The source of `calcium_rule.mod`."""
    n = numbers(rule)
    names = (*ZONES, "c_pre", "c_post", "well_rate", "rho_star")
    values = "".join(f"  {name} = {n[name]!r}\n" for name in names)
    return f"""{heading(rule, ":")}: A NetCon of positive weight brings presynaptic spikes,
: one of negative weight postsynaptic spikes.
: read(t) in a FUNCTION gives the efficacy at time t; rho is that of the last event.
NEURON {{
  ARTIFICIAL_CELL CalciumRule
  RANGE rho, rho0, c, t_last
  RANGE {", ".join(names)}, tau_ca, delay_ca
  THREADSAFE
}}
PARAMETER {{
  rho0 = 0.5
{values}  tau_ca = {n["tau_ca"]!r} (ms)
  delay_ca = {n["delay_ca"]!r} (ms)
}}
ASSIGNED {{ rho  c  t_last (ms) }}
INITIAL {{
  rho = rho0
  c = 0
  t_last = 0
}}
FUNCTION above(lc, h, level) {{
  above = 0
  if (lc > level) {{
    above = lc - level
    if (above > h) {{ above = h }}
  }}
}}
{_well(rule)}PROCEDURE visit(now (ms)) {{ LOCAL h, high, middle
  h = (now - t_last)/tau_ca
  high = 0
  middle = 0
  if (c > 1e-300) {{
    high = above(log(c), h, ln_high)
    middle = above(log(c), h, ln_low) - high
  }}
  pull(high/2)
  rho = aim_high + (rho - aim_high)*exp(-rate_high*high)
  pull((high + middle)/2)
  rho = aim_middle + (rho - aim_middle)*exp(-rate_middle*middle)
  if (rate_rest > 0) {{
    pull((h - high)/2)
    rho = aim_rest + (rho - aim_rest)*exp(-rate_rest*(h - high - middle))
    pull((h - high - middle)/2)
  }} else {{
    pull(h - high - middle/2)
  }}
  c = c*exp(-h)
  t_last = now
}}
FUNCTION read(now (ms)) {{
  visit(now)
  read = rho
}}
NET_RECEIVE (w) {{
  visit(t)
  if (flag == 1) {{
    c = c + c_pre
  }} else {{
    if (w > 0) {{
      net_send(delay_ca, 1)
    }} else {{
      c = c + c_post
    }}
  }}
}}
"""


def _well(rule: CalciumRule) -> str:
    if rule.well == "none":
        return "PROCEDURE pull(h) {\n}\n"
    if rule.rho_star == 0.5:
        return """PROCEDURE pull(h) { LOCAL x
  x = rho - 0.5
  if (x*x > 1e-300) {
    rho = 0.5 + 0.5*x/sqrt(x*x + (0.25 - x*x)*exp(-well_rate*h/2))
  }
}
"""
    return """FUNCTION slope(x) {
  slope = -x*(1 - x)*(rho_star - x)
}
PROCEDURE pull(h) { LOCAL steps, i, k, k1, k2, k3, k4, left
  left = h*well_rate
  if (left > 100) { left = 100 }
  steps = floor(left/0.05) + 1
  k = left/steps
  i = 0
  while (i < steps) {
    k1 = slope(rho)
    k2 = slope(rho + k/2*k1)
    k3 = slope(rho + k/2*k2)
    k4 = slope(rho + k*k3)
    rho = rho + k/6*(k1 + 2*k2 + 2*k3 + k4)
    i = i + 1
  }
}
"""
