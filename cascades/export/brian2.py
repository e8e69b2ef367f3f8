"""Brian2: the rule as a Python module with `calcium_synapses`, event-driven or clock-driven; a network as a
script.

Conventions of Brian2 that the code follows: a pathway of its own for the calcium delay, delays on the
presynaptic side, units on everything.  A clock-driven synapse is first order in the time step; the
event-driven one is exact.
"""

from __future__ import annotations

from collections.abc import Callable

from cascades.errors import ExportError
from cascades.export.features import (
    FILTER,
    GRADED,
    NOISE,
    TABLE_WELL,
    heading,
    needs,
    numbers,
    ramps,
    require,
    rule_of,
)
from cascades.network.network import Network
from cascades.network.neuron import LeakyIntegrateAndFire, PoissonSource, ReplayedSource
from cascades.network.synapse import FixedInDegree, Pairs
from cascades.reduction.rule import CalciumRule

TARGET = "Brian2"
EVENT_FEATURES = (NOISE,)
CLOCK_FEATURES = (NOISE, GRADED, TABLE_WELL, FILTER)


def files(source: CalciumRule | Network) -> dict[str, str]:
    """File name to content."""
    rule = rule_of(source, TARGET)
    require(rule, TARGET, CLOCK_FEATURES)
    out = {"calcium_synapses.py": module(rule)}
    if isinstance(source, Network):
        out["network.py"] = script(source)
    return out


def module(rule: CalciumRule) -> str:
    """The source of `calcium_synapses.py`."""
    has_event = not any(f not in EVENT_FEATURES for f in needs(rule))
    n = numbers(rule)
    parts = [
        heading(rule, "#"),
        "from brian2 import *\n\n",
        "NAMESPACE = {\n",
        *(
            f"    {key!r}: {value!r}{' * ms' if key in ('tau_ca', 'delay_ca') else ''},\n"
            for key, value in n.items()
        ),
        f"    'tau_rho': {rule.tau!r} * second,\n",
        f"    'sigma_ca': {rule.sigma!r},\n",
        "}\n",
        f"DELAY = {n['delay_ca']!r} * ms  # of calcium after a presynaptic spike\n",
    ]
    if has_event:
        parts += [
            _well_function(rule),
            f"\nEVENT_MODEL = '''rho : 1\nc : 1\nlast : second'''\nVISIT = '''{_visit(rule)}'''\n",
        ]
    parts += [f"\nCLOCK_MODEL = '''{_clock(rule)}'''\n", _FACTORY.replace("HAS_EVENT", str(has_event))]
    return "".join(parts)


def _visit(rule: CalciumRule) -> str:
    """Code that brings a synapse from its last visit to the present."""
    well = _well_lines(rule)
    n = numbers(rule)
    lines = [
        "h = (t - last)/tau_ca",
        "lc = log(c + 1e-300)",
        "high = clip(lc - ln_high, 0, 1e9) - clip(lc - h - ln_high, 0, 1e9)",
        "middle = clip(lc - ln_low, 0, 1e9) - clip(lc - h - ln_low, 0, 1e9) - high",
        *well("high/2"),
        "rho = aim_high + (rho - aim_high)*exp(-rate_high*high)",
        *well("(high + middle)/2"),
        "rho = aim_middle + (rho - aim_middle)*exp(-rate_middle*middle)",
    ]
    if rule.sigma > 0.0:
        lines += [
            "decay_high = exp(-2*rate_high*high)",
            "decay_middle = exp(-2*rate_middle*middle)",
            "grown = sigma_ca**2*tau_ca/tau_rho",
            "variance = grown*(1 - decay_high)/(rate_high + 1e-12)*decay_middle"
            " + grown*(1 - decay_middle)/(2*rate_middle + 1e-12)",
            "rho = rho + sqrt(variance)*randn()",
        ]
    if n["rate_rest"] > 0.0:
        lines += [
            *well("(h - high)/2"),
            "rho = aim_rest + (rho - aim_rest)*exp(-rate_rest*(h - high - middle))",
            *well("(h - high - middle)/2"),
        ]
    else:
        lines += well("h - high - middle/2")
    return "\n".join([*lines, "c = c*exp(-h)", "last = t", ""])


def _well_lines(rule: CalciumRule) -> Callable[[str], list[str]]:
    if rule.well == "none":
        return lambda span: []
    if rule.rho_star == 0.5:
        return lambda span: [
            "x = rho - 0.5",
            f"rho = 0.5 + 0.5*x/sqrt(x**2 + (0.25 - x**2)*exp(-well_rate*({span})/2) + 1e-300)",
        ]
    return lambda span: [f"rho = cubic_well(rho, well_rate*({span}))"]


def _well_function(rule: CalciumRule) -> str:
    if rule.well != "cubic" or rule.rho_star == 0.5:
        return ""
    body = """
    double steps = ceil(fmin(h, 100.0)/0.05) + 1, k = fmin(h, 100.0)/steps;
    for (int i = 0; i < (int)steps; i++) {
        double a = SLOPE(x), b = SLOPE(x + k/2*a), c = SLOPE(x + k/2*b), d = SLOPE(x + k*c);
        x += k/6*(a + 2*b + 2*c + d);
    }
    return x;
"""
    slope = f"#define SLOPE(y) (-(y)*(1 - (y))*({rule.rho_star!r} - (y)))"
    return f'''
@implementation("cpp", """
{slope}
double cubic_well(double x, double h) {{{body}}}
""")
@check_units(rho=1, h=1, result=1)
def cubic_well(rho, h):
    rho, h = np.asarray(rho, dtype=float), np.minimum(h, 100.0)
    steps = int(np.max(h, initial=0.0)/0.05) + 1
    slope = lambda x: -x*(1 - x)*({rule.rho_star!r} - x)
    for _ in range(steps):
        k = h/steps
        a = slope(rho)
        b = slope(rho + k/2*a)
        c = slope(rho + k/2*b)
        d = slope(rho + k*c)
        rho = rho + k/6*(a + 2*b + 2*c + d)
    return rho


NAMESPACE["cubic_well"] = cubic_well
'''


def _clock(rule: CalciumRule) -> str:
    """Differential equations of the synapse."""

    def clip(x: str, low: str, high: str) -> str:
        return f"clip({x}, {low}, {high})"

    total = f"(c + {rule.calcium.rest!r})"
    if rule.rates is None:
        up = f"{rule.gamma_p!r}*int({total} > {rule.theta_p!r})"
        down = f"{rule.gamma_d!r}*int({total} > {rule.theta_d!r})"
    else:
        up = ramps(rule.rates.calcium, rule.rates.potentiation, total, clip)
        down = ramps(rule.rates.calcium, rule.rates.depression, total, clip)
    lines = ["dc/dt = -c/tau_ca : 1 (clock-driven)"]
    if rule.filter is not None:
        on = ramps(rule.filter.calcium, rule.filter.on, total, clip)
        off = ramps(rule.filter.calcium, rule.filter.off, total, clip)
        lines.append(f"dm/dt = (({on})*(1 - m) - ({off})*m)/second : 1 (clock-driven)")
        down = f"{rule.filter.gain!r}*m"
    well = {"none": "0", "cubic": f"-rho*(1 - rho)*({rule.rho_star!r} - rho)/{rule.tau!r}"}.get(rule.well)
    if rule.well_table is not None:
        well = ramps(rule.well_table.rho, rule.well_table.drift, "rho", clip)
    noise = ""
    if rule.sigma > 0.0:
        above = f"(int({total} > {rule.theta_d!r}) + int({total} > {rule.theta_p!r}))"
        noise = f" + sigma_ca*sqrt({above}/tau_rho)*xi"
    lines.append(f"drho/dt = (({up})*(1 - rho) - ({down})*rho + ({well}))/second{noise} : 1 (clock-driven)")
    return "\n".join(lines)


_FACTORY = '''

def calcium_synapses(source, target, weight="", mode="event", delay=1.5 * ms, read_every=None, **options):
    """Synapses with the rule; `rho` is the efficacy.

    weight : code that transmits, such as "v_post += 0.2*mV*rho"
    mode : "event" (exact) or "clock" (first order)
    The pathway `ca` carries the calcium delay, `pre` the transmission delay.
    Event-driven synapses stand at their last spike; `read_every` (a time) brings all of them up to
    date so often.
    """
    namespace = {**NAMESPACE, **options.pop("namespace", {})}
    delays = {"pre": delay, "ca": DELAY}
    if mode == "event":
        if not HAS_EVENT:
            raise ValueError("this rule needs mode='clock': its rates or its well are tables")
        synapses = Synapses(
            source, target, EVENT_MODEL, namespace=namespace, delay=delays,
            on_pre={"pre": VISIT + weight, "ca": VISIT + "c += c_pre"},
            on_post={"post": VISIT + "c += c_post"}, **options,
        )
        if read_every is not None:
            synapses.run_regularly(VISIT, dt=read_every, when="end")
    else:
        method = "heun" if "xi" in CLOCK_MODEL else "euler"
        synapses = Synapses(
            source, target, CLOCK_MODEL, namespace=namespace, delay=delays,
            method=options.pop("method", method),
            on_pre={"pre": weight, "ca": "c += c_pre"}, on_post={"post": "c += c_post"}, **options,
        )
    return synapses
'''


def script(network: Network) -> str:
    """The source of `network.py`: the same populations and synapses, wired by Brian2's own random numbers."""
    lines = ["from brian2 import *\n", "from calcium_synapses import calcium_synapses\n\n"]
    lines += [f"defaultclock.dt = {network.dt!r} * ms\n"]
    for p in network.neurons:
        lines.append(_population(p.name, p.size, p.neuron, network))
        if p.poisson is not None:
            lines.append(
                f"drive_{p.name} = PoissonInput({p.name}, 's_exc', 1, {p.poisson.rate!r} * Hz, "
                f"{p.poisson.weight!r} * mV)\n"
            )
    names = []
    for k, s in enumerate(network.synapses):
        if s.short_term is not None:
            raise ExportError(TARGET, "short-term plasticity", "export the network without it")
        onto = "s_exc_post" if s.receptor == "exc" else "s_inh_post"
        name = f"synapses_{k}"
        names.append(name)
        if s.plastic:
            lines.append(
                f"{name} = calcium_synapses({s.source}, {s.target}, '{onto} += {s.weight!r} * mV * rho',"
                f" delay={s.delay!r} * ms)\n"
            )
        else:
            lines.append(f"{name} = Synapses({s.source}, {s.target}, on_pre='{onto} += {s.weight!r} * mV')\n")
        size, targets = network.population(s.source).size, network.population(s.target).size
        if isinstance(s.connect, FixedInDegree):
            where = (
                f"i=np.random.randint(0, {size}, {s.connect.count * targets}), "
                f"j=np.repeat(np.arange({targets}), {s.connect.count})"
            )
        elif isinstance(s.connect, Pairs):
            where = f"i={s.connect.sources.tolist()!r}, j={s.connect.targets.tolist()!r}"
        else:
            where = "condition='i != j'" if s.source == s.target else "condition='True'"
        if s.plastic:
            lines.append(f"{name}.connect({where})\n")
            start = s.efficacy
            value = (
                f"'{start[0]!r} + {start[1] - start[0]!r}*rand()'"
                if isinstance(start, tuple)
                else _values(start)
            )
            lines.append(f"{name}.rho = {value}\n")
        else:
            lines.append(f"{name}.connect({where})\n{name}.delay = {s.delay!r} * ms\n")
    return "".join(lines)


def _values(start: object) -> str:
    import numpy as np

    return repr(np.asarray(start, dtype=float).tolist())


def _population(name: str, size: int, neuron: object, network: Network) -> str:
    if isinstance(neuron, LeakyIntegrateAndFire):
        n = neuron
        equations = (
            f"dv/dt = ({n.v_rest!r}*mV + {n.drive!r}*mV - v + s_exc - s_inh)/({n.tau_m!r}*ms)"
            " : volt (unless refractory)\\n"
            f"ds_exc/dt = -s_exc/({n.tau_exc!r}*ms) : volt\\nds_inh/dt = -s_inh/({n.tau_inh!r}*ms) : volt"
        )
        return (
            f"{name} = NeuronGroup({size}, '{equations}', threshold='v >= {n.v_threshold!r}*mV', "
            f"reset='v = {n.v_reset!r}*mV', refractory={n.refractory!r} * ms, method='exact')\n"
            f"{name}.v = '({n.v_rest!r} + rand()*{n.v_threshold - n.v_rest!r})*mV'\n"
        )
    if isinstance(neuron, PoissonSource):
        return f"{name} = PoissonGroup({size}, {neuron.rate!r} * Hz)\n"
    if isinstance(neuron, ReplayedSource):
        times, indices = neuron.times.tolist(), neuron.neurons.tolist()
        return f"{name} = SpikeGeneratorGroup({size}, {indices!r}, {times!r} * ms)\n"
    raise ExportError(
        TARGET, f"{type(neuron).__name__} neurons", "export the rule, and write the neurons in Brian2"
    )
