"""Brian2: the rule as a Python module with `calcium_synapses`, event-driven or clock-driven; a network as a
script.

Conventions of Brian2 that the code follows: a pathway of its own for the calcium delay, delays on the
presynaptic side, units on everything.  A clock-driven synapse is first order in the time step; the
event-driven one is exact for step thresholds.
"""

from __future__ import annotations

from cascades.export.brian2_network import script
from cascades.export.clocked import rates_of
from cascades.export.features import (
    CUBIC_WELL,
    EXACT,
    FILTER,
    FIRST_ORDER,
    GRADED,
    LATE,
    LEAKY,
    NOISE,
    POISSON,
    REPLAYED,
    SLIDING,
    SPLIT,
    STAIRS,
    STEPS,
    TABLE_WELL,
    heading,
    require,
    rule_of,
)
from cascades.export.visit import Edge, Kick, Pass, Pull, visit
from cascades.export.well import LONGEST, STEP, fastest, slope
from cascades.export.zones import Zone, Zones, zones_of
from cascades.network.constants import MS_PER_S
from cascades.network.network import Network
from cascades.reduction.rule import CalciumRule

TARGET = "Brian2"
KNOWN = {
    STEPS: EXACT, CUBIC_WELL: SPLIT, TABLE_WELL: SPLIT, NOISE: EXACT, GRADED: STAIRS,
    FILTER: f"{FIRST_ORDER} (clock-driven)",
}  # fmt: skip
NETWORKS = {LEAKY: EXACT, POISSON: EXACT, REPLAYED: EXACT, SLIDING: EXACT, LATE: EXACT}


def files(source: CalciumRule | Network) -> dict[str, str]:
    """File name to content."""
    rule = rule_of(source, TARGET)
    require(rule, TARGET, KNOWN)
    if isinstance(source, CalciumRule):
        return {"calcium_synapses.py": module(rule)}
    require(source, TARGET, NETWORKS)
    return {"calcium_synapses.py": module(rule), "network.py": script(source, rule.filter is None)}


def module(rule: CalciumRule) -> str:
    """The source of `calcium_synapses.py`."""
    trace = rule.calcium
    is_event = rule.filter is None
    zones = zones_of(rule)
    parts = [
        heading(rule, "#"),
        "from brian2 import *\n\n",
        "NAMESPACE = {\n",
        f"    'tau_ca': {trace.tau * MS_PER_S!r} * ms,\n",
        f"    'c_pre': {trace.pre!r},\n",
        f"    'c_post': {trace.post!r},\n",
        f"    'tau_rho': {rule.tau!r} * second,\n",
        f"    'sigma_ca': {rule.sigma!r},\n",
        "}\n",
        f"DELAY = {trace.delay * MS_PER_S!r} * ms  # of calcium after a presynaptic spike\n",
        f"HAS_EVENT = {is_event}\n",
    ]
    if is_event:
        parts += [
            *_flows(rule, zones),
            "EVENT_MODEL = '''rho : 1\nc : 1\nlast : second'''\n",
            f"VISIT = '''{visit_code(rule, zones)}'''\n",
        ]
    parts += [f"\nCLOCK_MODEL = '''{_clock(rule)}'''\n", _FACTORY]
    return "".join(parts)


def visit_code(rule: CalciumRule, zones: Zones) -> str:
    """Code that brings a synapse from its last visit to the present."""
    is_noisy = rule.sigma > 0.0
    lines = ["h = (t - last)/tau_ca", "lc = log(c + 1e-300) - SLIDE", "before = 0*h"]
    lines += ["variance = 0*h"] if is_noisy else []
    for step in visit(zones):
        if isinstance(step, Edge):
            lines.append(f"{step.name} = clip(lc - ({step.ln_level!r}), 0, h)")
        elif isinstance(step, Pull):
            lines += _pull(rule, step.span)
        elif isinstance(step, Pass):
            lines += _pass(step.zone, is_noisy)
        elif isinstance(step, Kick):
            lines += ["rho = rho + sqrt(variance)*randn()"] if is_noisy else []
        elif rule.well == "none":
            aim, rate = zones.rest.aim, zones.rest.rate
            lines.append(f"rho = {aim!r} + (rho - {aim!r})*exp(-{rate!r}*({step.span}))")
        else:
            lines.append(f"rho = flow_rest(rho, {step.span})")
    return "\n".join([*lines, "c = c*exp(-h)", "last = t", ""])


def _pass(zone: Zone, is_noisy: bool) -> list[str]:
    spent = "(above - before)"
    lines = [f"above = clip(lc - ({zone.ln_level!r}), 0, h)"]
    if zone.rate > 0.0:
        lines.append(f"rho = {zone.aim!r} + (rho - {zone.aim!r})*exp(-{zone.rate!r}*{spent})")
    if is_noisy and zone.rate > 0.0:
        limit, kept = zone.growth / (2.0 * zone.rate), f"exp(-{2.0 * zone.rate!r}*{spent})"
        lines.append(f"variance = {limit!r} + (variance - {limit!r})*{kept}")
    elif is_noisy:
        lines.append(f"variance = variance + {zone.growth!r}*{spent}")
    return [*lines, "before = above"]


def _pull(rule: CalciumRule, span: str) -> list[str]:
    """The well alone for `span` decay times."""
    if rule.well == "none":
        return []
    if rule.well == "cubic" and rule.rho_star == 0.5:
        rate = rule.calcium.tau / rule.tau
        return [
            "x = rho - 0.5",
            f"rho = 0.5 + 0.5*x/sqrt(x**2 + (0.25 - x**2)*exp(-{rate / 2.0!r}*({span})) + 1e-300)",
        ]
    return [f"rho = flow_well(rho, {span})"]


def _flows(rule: CalciumRule, zones: Zones) -> list[str]:
    """Functions that integrate wells without a closed form, in C++, Cython and numpy."""
    out = []
    if rule.well == "table" or (rule.well == "cubic" and rule.rho_star != 0.5):
        out.append(_flow("flow_well", rule, 0.0, 0.0, zones))
    if rule.well != "none" and zones.rest.rate > 0.0:
        out.append(_flow("flow_rest", rule, zones.rest.rate, zones.rest.aim, zones))
    return out


def _flow(name: str, rule: CalciumRule, rate: float, aim: float, zones: Zones) -> str:
    added = f" + {rate!r}*({aim!r} - y)" if rate > 0.0 else ""
    in_c = slope(rule, "y", lambda x, a, b: f"fmin(fmax({x}, {a}), {b})") + added
    in_numpy = slope(rule, "y", lambda x, a, b: f"np.clip({x}, {a}, {b})") + added
    longest, k = LONGEST / fastest(rule, zones.rest), STEP / fastest(rule, zones.rest)
    return _FLOW.format(name=name, in_c=in_c, in_numpy=in_numpy, longest=longest, step=k)


_FLOW = '''

@implementation("cpp", """
double {name}_slope(double y) {{ return {in_c}; }}
double {name}(double x, double h) {{
    h = fmin(h, {longest!r});
    int steps = (int)(h/{step!r}) + 1;
    double k = h/steps;
    for (int i = 0; i < steps; i++) {{
        double a = {name}_slope(x), b = {name}_slope(x + k/2*a), c = {name}_slope(x + k/2*b);
        x += k/6*(a + 2*b + 2*c + {name}_slope(x + k*c));
    }}
    return x;
}}
""")
@implementation("cython", """
from libc.math cimport fmin, fmax
cdef double {name}_slope(double y):
    return {in_c}
cdef double {name}(double x, double h):
    cdef int i, steps
    cdef double k, a, b, c
    h = fmin(h, {longest!r})
    steps = <int>(h/{step!r}) + 1
    k = h/steps
    for i in range(steps):
        a = {name}_slope(x)
        b = {name}_slope(x + k/2*a)
        c = {name}_slope(x + k/2*b)
        x += k/6*(a + 2*b + 2*c + {name}_slope(x + k*c))
    return x
""")
@check_units(rho=1, h=1, result=1)
def {name}(rho, h):
    slope = lambda y: {in_numpy}
    rho, h = np.asarray(rho, dtype=float), np.minimum(h, {longest!r})
    steps = int(np.max(h, initial=0.0)/{step!r}) + 1
    k = h/steps
    for _ in range(steps):
        a = slope(rho)
        b = slope(rho + k/2*a)
        c = slope(rho + k/2*b)
        rho = rho + k/6*(a + 2*b + 2*c + slope(rho + k*c))
    return rho


NAMESPACE["{name}"] = {name}
'''


def _clock(rule: CalciumRule) -> str:
    """Differential equations of the synapse."""

    def clip(x: str, low: str, high: str) -> str:
        return f"clip({x}, {low}, {high})"

    rates = rates_of(rule, lambda x, theta: f"int({x} > {theta!r})", clip)
    lines = ["dc/dt = -c/tau_ca : 1 (clock-driven)"]
    if rule.filter is not None:
        lines.append(f"dm/dt = ({rates.on}*(1 - m) - {rates.off}*m)/second : 1 (clock-driven)")
    well = f"({slope(rule, 'rho', clip)})/{rule.calcium.tau!r}"
    noise = f" + sigma_ca*sqrt({rates.above}/tau_rho)*xi" if rule.sigma > 0.0 else ""
    lines.append(
        f"drho/dt = ({rates.up}*(1 - rho) - {rates.down}*rho + {well})/second{noise} : 1 (clock-driven)"
    )
    return "\n".join(lines)


_FACTORY = '''
READER = "reader_of_{}"


def calcium_synapses(source, target, weight="", mode="event", delay=1.5 * ms, read_every=None, slide="0",
                     variables="", **options):
    """Synapses with the rule; `rho` is the efficacy.

    weight : code that transmits, such as "v_post += 0.2*mV*rho"
    mode : "event" (exact for step thresholds) or "clock" (first order)
    The pathway `ca` carries the calcium delay, `pre` the transmission delay.
    Event-driven synapses stand at their last spike: `bring_up_to_date` brings all of them to the
    present, `read_every` (a time) does so again and again.
    slide : name of a variable of the target by which ln of both thresholds moves, such as "slide_post"
    variables : more variables of the synapse, as equations
    """
    namespace = {**NAMESPACE, **options.pop("namespace", {})}
    delays = {"pre": delay, "ca": DELAY}
    if mode == "event":
        if not HAS_EVENT:
            raise ValueError("this rule needs mode='clock': its phosphatase follows calcium slowly")
        visit = VISIT.replace("SLIDE", slide)
        synapses = Synapses(
            source, target, EVENT_MODEL + "\\n" + variables, namespace=namespace, delay=delays,
            on_pre={"pre": visit + weight, "ca": visit + "c += c_pre"},
            on_post={"post": visit + "c += c_post"}, **options,
        )
        if read_every is not None:
            synapses.run_regularly(visit, dt=read_every, when="end", order=-1)
        reader = synapses.run_regularly(visit, when="end", order=-1, name=READER.format(synapses.name))
        reader.active = False
    else:
        if slide != "0":
            raise ValueError("thresholds slide with mode='event' only")
        method = "heun" if "xi" in CLOCK_MODEL else "euler"
        synapses = Synapses(
            source, target, CLOCK_MODEL + "\\n" + variables, namespace=namespace, delay=delays,
            method=options.pop("method", method),
            on_pre={"pre": weight, "ca": "c += c_pre"}, on_post={"post": "c += c_post"}, **options,
        )
    return synapses


def bring_up_to_date(*synapses, run=run):
    """Run one more time step, at the end of which every synapse of these is at the present.

    run : of your `Network`, if you have one.  A `run_regularly` as long as the whole run would not do
    instead: where the last steps of two clocks fall together, Brian2 may leave out that of the slower one.
    """
    names = [READER.format(s.name) for s in synapses]
    readers = [r for s in synapses for r in s.contained_objects if r.name in names]
    for reader in readers:
        reader.active = True
    run(defaultclock.dt, level=1)  # what Brian2 runs is what the caller sees
    for reader in readers:
        reader.active = False
'''
