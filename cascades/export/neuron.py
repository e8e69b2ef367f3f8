"""NEURON: the rule as an artificial cell in NMODL, event-driven; exact for step thresholds at any times.

Conventions of NEURON that the code follows: one NetCon of positive weight per presynaptic neuron, one of
negative weight per postsynaptic neuron; the calcium delay is a self event, of which several may be under way.
"""

from __future__ import annotations

from cascades.export.features import (
    ALONE,
    CUBIC_WELL,
    EXACT,
    GRADED,
    NOISE,
    SPLIT,
    STAIRS,
    STEPS,
    TABLE_WELL,
    heading,
    require,
    rule_of,
)
from cascades.export.visit import Edge, Kick, Pass, Pull, edge_names, visit
from cascades.export.well import LONGEST, STEP, fastest, slope
from cascades.export.zones import Zones, zones_of
from cascades.network.constants import MS_PER_S
from cascades.network.network import Network
from cascades.reduction.rule import CalciumRule

TARGET = "NEURON"
KNOWN = {STEPS: EXACT, CUBIC_WELL: SPLIT, TABLE_WELL: SPLIT, NOISE: EXACT, GRADED: STAIRS}


def files(source: CalciumRule | Network) -> dict[str, str]:
    """File name to content; of a network, its rule."""
    rule = rule_of(source, TARGET)
    require(rule, TARGET, KNOWN)
    if isinstance(source, Network):
        require(source, TARGET, ALONE)
    return {"calcium_rule.mod": mechanism(rule)}


def mechanism(rule: CalciumRule) -> str:
    """The source of `calcium_rule.mod`."""
    trace, zones = rule.calcium, zones_of(rule)
    is_noisy = rule.sigma > 0.0
    random = "  RANDOM normal\n" if is_noisy else ""
    begin = "  random_setseq(normal, 0)\n" if is_noisy else ""
    return f"""{heading(rule, ":")}: A NetCon of positive weight brings presynaptic spikes,
: one of negative weight postsynaptic spikes.
: read(t) gives the efficacy at time t; rho is that of the last event.
{NOISY if is_noisy else ""}NEURON {{
  ARTIFICIAL_CELL CalciumRule
  RANGE rho, rho0, c, t_last
  RANGE c_pre, c_post, tau_ca, delay_ca
{random}  THREADSAFE
}}
PARAMETER {{
  rho0 = 0.5
  c_pre = {trace.pre!r}
  c_post = {trace.post!r}
  tau_ca = {trace.tau * MS_PER_S!r} (ms)
  delay_ca = {trace.delay * MS_PER_S!r} (ms)
}}
ASSIGNED {{ rho  c  variance  t_last (ms) }}
INITIAL {{
  rho = rho0
  c = 0
  variance = 0
  t_last = 0
{begin}}}
FUNCTION within(x, low, high) {{
  within = x
  if (x < low) {{ within = low }}
  if (x > high) {{ within = high }}
}}
PROCEDURE zone(rate, aim, growth, spent) {{ LOCAL kept
  kept = exp(-rate*spent)
  rho = aim + (rho - aim)*kept
  if (rate > 0) {{
    variance = variance*kept*kept + growth/(2*rate)*(1 - kept*kept)
  }} else {{
    variance = variance + growth*spent
  }}
}}
{_pulls(rule, zones)}FUNCTION spent_above(level, h) {{
  spent_above = 0
  if (c > 1e-300) {{ spent_above = within(log(c) - level, 0, h) }}
}}
PROCEDURE visit(now (ms)) {{ LOCAL h, above, before{"".join(f", {name}" for name in edge_names(zones))}
  h = (now - t_last)/tau_ca
  before = 0
  variance = 0
{_visit(rule, zones)}  c = c*exp(-h)
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


NOISY = ": Give every cell a stream of its own: cell.normal.set_ids(a, b, c).\n"


def _visit(rule: CalciumRule, zones: Zones) -> str:
    lines = []
    for step in visit(zones):
        if isinstance(step, Edge):
            lines.append(f"{step.name} = spent_above({step.ln_level!r}, h)")
        elif isinstance(step, Pull):
            lines.append(f"pull({step.span})")
        elif isinstance(step, Pass):
            z = step.zone
            lines += [
                f"above = spent_above({z.ln_level!r}, h)",
                f"zone({z.rate!r}, {z.aim!r}, {z.growth!r}, above - before)",
                "before = above",
            ]
        elif isinstance(step, Kick):
            lines += ["rho = rho + sqrt(variance)*random_normal(normal)"] if rule.sigma > 0.0 else []
        elif rule.well == "none":
            lines.append(f"zone({zones.rest.rate!r}, {zones.rest.aim!r}, 0, {step.span})")
        else:
            lines.append(f"pull_at_rest({step.span})")
    return "".join(f"  {line}\n" for line in lines)


def _pulls(rule: CalciumRule, zones: Zones) -> str:
    """Procedures that move the efficacy by the well alone, and by well and resting rates."""
    if rule.well == "none":
        return "PROCEDURE pull(h) {\n}\n"
    if rule.well == "cubic" and rule.rho_star == 0.5:
        pull = f"""PROCEDURE pull(h) {{ LOCAL x
  x = rho - 0.5
  if (x*x > 1e-300) {{
    rho = 0.5 + 0.5*x/sqrt(x*x + (0.25 - x*x)*exp(-{rule.calcium.tau / rule.tau / 2.0!r}*h))
  }}
}}
"""
    else:
        pull = _integrated("pull", rule, zones, "")
    if zones.rest.rate > 0.0:
        added = f" + {zones.rest.rate!r}*({zones.rest.aim!r} - x)"
        pull += _integrated("pull_at_rest", rule, zones, added)
    return pull


def _integrated(name: str, rule: CalciumRule, zones: Zones, added: str) -> str:
    drift = slope(rule, "x", lambda x, low, high: f"within({x}, {low}, {high})")
    longest, step = LONGEST / fastest(rule, zones.rest), STEP / fastest(rule, zones.rest)
    return f"""FUNCTION slope_{name}(x) {{
  slope_{name} = {drift}{added}
}}
PROCEDURE {name}(h) {{ LOCAL steps, i, k, k1, k2, k3, k4
  steps = floor(within(h, 0, {longest!r})/{step!r}) + 1
  k = within(h, 0, {longest!r})/steps
  i = 0
  while (i < steps) {{
    k1 = slope_{name}(rho)
    k2 = slope_{name}(rho + k/2*k1)
    k3 = slope_{name}(rho + k/2*k2)
    k4 = slope_{name}(rho + k*k3)
    rho = rho + k/6*(k1 + 2*k2 + 2*k3 + k4)
    i = i + 1
  }}
}}
"""
