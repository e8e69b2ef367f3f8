"""NEST, through NESTML 9: the rule as a plastic synapse, event-driven; exact for step thresholds.  A network
as a script that runs on any number of ranks and threads.

Conventions of NEST that the code follows: the delay is dendritic, so a presynaptic spike is seen when it is
emitted and a postsynaptic one a delay later; a synapse runs at presynaptic spikes, when it first replays the
postsynaptic ones, for which NESTML gives the time of emission.  Calcium jumps that are still to come stand in
slots, as many as can be under way within the calcium delay; a jump that finds no slot is counted in `lost`.
"""

from __future__ import annotations

import math
import re

import numpy as np

from cascades.errors import ExportError
from cascades.export.features import (
    CUBIC_WELL,
    EXACT,
    GRADED,
    LEAKY,
    NOISE,
    POISSON,
    REPLAYED,
    SPLIT,
    STAIRS,
    STEPS,
    TABLE_WELL,
    heading,
    require,
    rule_of,
)
from cascades.export.nest_build import BUILD
from cascades.export.nest_network import DRAWS, NEURON, longest_delay, script, shortest_interval
from cascades.export.visit import GROUPS, Edge, Kick, Pass, Pull, visit
from cascades.export.well import LONGEST, STEP, fastest, slope
from cascades.export.zones import Zone, Zones, zones_of
from cascades.network.constants import MS_PER_S
from cascades.network.network import Network
from cascades.reduction.rule import CalciumRule

TARGET = "NEST"
KNOWN = {STEPS: EXACT, CUBIC_WELL: SPLIT, TABLE_WELL: SPLIT, NOISE: EXACT, GRADED: STAIRS}
NETWORKS = {LEAKY: EXACT, POISSON: EXACT, REPLAYED: EXACT}
SHORTEST_INTERVAL = 2.0  # [ms] between presynaptic spikes: the refractory time
LARGEST_SLOTS = 32
LOCALS = (
    "going", "h_ca", "lc", "above", "before", "variance", "left", "x", "k1", "k2", "k3", "k4",
    *(f"edge_{g}" for g in range(GROUPS)),
)  # fmt: skip


def files(source: CalciumRule | Network) -> dict[str, str]:
    """File name to content."""
    rule = rule_of(source, TARGET)
    require(rule, TARGET, KNOWN)
    late = rule.calcium.delay * MS_PER_S
    if isinstance(source, CalciumRule):
        slots = _slots(late, SHORTEST_INTERVAL)
        return {"calcium_synapse.nestml": synapse(rule, slots), "build_nest.py": BUILD,
                "leaky_neuron.nestml": NEURON}  # fmt: skip
    require(source, TARGET, NETWORKS)
    slots = _slots(late + longest_delay(source), shortest_interval(source))
    return {
        "calcium_synapse.nestml": synapse(rule, slots),
        "leaky_neuron.nestml": NEURON,
        "build_nest.py": BUILD,
        "network.py": script(source, rule, slots),
    }


def _slots(delay: float, shortest: float) -> int:
    """How many calcium jumps can be under way.  Raises ExportError for too many."""
    slots = math.floor(delay / shortest + 1e-9) + 1
    if slots > LARGEST_SLOTS:
        raise ExportError(TARGET, "a calcium delay of many spikes", f"{slots} jumps can be under way at once")
    return slots


def synapse(rule: CalciumRule, slots: int) -> str:
    """The source of `calcium_synapse.nestml`."""
    trace = rule.calcium
    pending = "".join(f"        due_{k} ms = -1 ms\n" for k in range(slots))
    advance = _advance(rule, slots)
    after_post = advance.replace(" SEEN", " t + delay_post")
    advance = advance.replace(" SEEN", " t")
    declared = "".join(f"        {n} real = 0\n" for n in LOCALS if re.search(rf"\b{n}\b", advance))
    declared += "        now ms = 0 ms\n"
    draws = "".join(f"        {name} real = 0\n" for name in DRAWS) if rule.sigma > 0.0 else ""
    put = "".join(
        f"        {'if' if k == 0 else 'elif'} due_{k} < 0 ms:\n            due_{k} = t + delay_ca\n"
        for k in range(slots)
    )
    return f"""{heading(rule, "#")}model calcium_synapse:
    state:
        w real = 1.
        rho real = 0.5
        c real = 0.
        t_last ms = 0 ms
        lost real = 0
{draws}{pending}    parameters:
        w_max real = 1.
        c_pre real = {_plain(trace.pre)}
        c_post real = {_plain(trace.post)}
        tau_ca ms = {_plain(trace.tau * MS_PER_S)} ms
        delay_ca ms = {_plain(trace.delay * MS_PER_S)} ms
        delay_post ms = 1 ms  # that of the connection
    input:
        pre_spikes <- spike
        post_spikes <- spike
    output:
        spike
    onReceive(post_spikes):
{declared}{after_post}        c += c_post
    onReceive(pre_spikes):
{declared}{advance}{put}        else:
            lost += 1
        w = w_max * rho
        emit_spike(w)
"""


def _plain(number: float) -> str:
    """Without an exponent: NESTML 9 prints 1e-30 into its code as 1e-3."""
    text = np.format_float_positional(number, trim="0")
    return text if "." in text else f"{text}.0"


def _all_plain(text: str) -> str:
    return re.sub(r"(?<![\w.])\d+\.?\d*e[+-]?\d+", lambda found: _plain(float(found.group())), text)


def _advance(rule: CalciumRule, slots: int) -> str:
    """Statements that bring the synapse to the time SEEN, through the calcium jumps due until then."""
    moved = "".join(f"                due_{k} = due_{k + 1}\n" for k in range(slots - 1))
    return f"""        going = 1
        while going > 0:
            going = 0
            now = SEEN
            if due_0 >= 0 ms and due_0 <= SEEN:
                going = 1
                now = due_0
{_visit(rule, 12)}            if going > 0:
                c += c_pre
{moved}                due_{slots - 1} = -1 ms
"""


def _visit(rule: CalciumRule, indent: int) -> str:
    """Statements that bring the synapse to `now`."""
    zones = zones_of(rule)
    is_noisy = rule.sigma > 0.0
    lines = ["h_ca = (now - t_last) / tau_ca", "lc = ln(max(c, 0.000000000001))", "before = 0"]
    lines += ["variance = 0"] if is_noisy else []
    for step in visit(zones):
        if isinstance(step, Edge):
            lines.append(f"{step.name} = {_above(step.ln_level)}")
        elif isinstance(step, Pull):
            lines += _pull(rule, zones, _in_nestml(step.span), is_resting=False)
        elif isinstance(step, Pass):
            lines += [f"above = {_above(step.zone.ln_level)}"]
            lines += [*_zone(step.zone, "(above - before)", is_noisy), "before = above"]
        elif isinstance(step, Kick):
            lines += _kick() if is_noisy else []
        elif rule.well == "none":
            lines += _zone(zones.rest, f"({_in_nestml(step.span)})", False)
        else:
            lines += _pull(rule, zones, _in_nestml(step.span), is_resting=True)
    lines += ["c = c * exp(-h_ca)", "t_last = now"]
    return "".join(f"{' ' * indent}{_all_plain(line)}\n" for line in lines)


def _kick() -> list[str]:
    """A normal number of the synapse's own: NEST's are handed out in the order in which spikes arrive, which
    is another one in every run on several threads.

    Two multiplicative generators (L'Ecuyer 1988 Commun ACM 31:742), whose whole numbers doubles hold exactly,
    by Box and Muller's way.  Synapses to which nobody gave numbers to start with take them from NEST.
    """
    steps = [
        f"    {name} = {factor} * {name} - {prime} * floor({factor} * {name} / {prime})"
        for name, (factor, prime) in DRAWS.items()
    ]
    (a, (_, top_a)), (b, (_, top_b)) = DRAWS.items()
    return [
        "if variance > 0:",
        f"    if {a} < 1:",
        *(
            f"        {name} = 1 + floor(random_uniform(0, {prime - 2}))"
            for name, (_, prime) in DRAWS.items()
        ),
        *steps,
        f"    rho += (-2 * variance * ln({a} / {top_a})) ** 0.5 * cos(6.28318531 * {b} / {top_b})",
    ]


def _above(ln_level: float) -> str:
    return f"min(max(lc - ({_plain(ln_level)}), 0.), h_ca)"


def _in_nestml(span: str) -> str:
    """h is the hour there; a whole number divided by another would be a whole number."""
    return (
        re.sub(r"\bh\b", "h_ca", span).replace("/2", " / 2.").replace("(0 ", "(0. ").replace("+ 0)", "+ 0.)")
    )


def _zone(zone: Zone, spent: str, is_noisy: bool) -> list[str]:
    rate, aim = _plain(zone.rate), _plain(zone.aim)
    lines = []
    if zone.rate > 0.0:
        lines.append(f"rho = {aim} + (rho - {aim}) * exp(-{rate} * {spent})")
    if is_noisy and zone.rate > 0.0:
        limit = _plain(zone.growth / (2.0 * zone.rate))
        lines.append(f"variance = {limit} + (variance - {limit}) * exp(-2 * {rate} * {spent})")
    elif is_noisy:
        lines.append(f"variance += {_plain(zone.growth)} * {spent}")
    return lines


def _pull(rule: CalciumRule, zones: Zones, span: str, *, is_resting: bool) -> list[str]:
    """The well for `span`, together with the rates at rest if it `is_resting`."""
    if rule.well == "none":
        return []
    if rule.well == "cubic" and rule.rho_star == 0.5 and not is_resting:
        rate = _plain(rule.calcium.tau / rule.tau / 2.0)
        return [
            "x = rho - 0.5",
            f"left = exp(-{rate} * ({span}))",
            "rho = 0.5 + 0.5 * x / (x * x + (0.25 - x * x) * left + 0.0000000000000001) ** 0.5",
        ]
    longest, step = LONGEST / fastest(rule, zones.rest), STEP / fastest(rule, zones.rest)

    def drift(y: str) -> str:
        text = slope(rule, y, lambda x, low, high: f"min(max({x}, {low}.), {high})")
        return text + (f" + {zones.rest.rate!r} * ({zones.rest.aim!r} - ({y}))" if is_resting else "")

    return [
        f"left = min({span}, {longest!r})",
        "while left > 0:",
        f"    x = min(left, {step!r})",
        f"    k1 = {drift('rho')}",
        f"    k2 = {drift('rho + x / 2 * k1')}",
        f"    k3 = {drift('rho + x / 2 * k2')}",
        f"    k4 = {drift('rho + x * k3')}",
        "    rho += x / 6 * (k1 + 2 * k2 + 2 * k3 + k4)",
        "    left -= x",
    ]
