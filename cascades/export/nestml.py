"""NEST, through NESTML 9: the rule as a plastic synapse, event-driven and exact.

Conventions of NEST that the code follows: the delay is dendritic, so a presynaptic spike is seen when it is
emitted and a postsynaptic one a delay later; a synapse runs at presynaptic spikes, when it first replays the
postsynaptic ones.  Calcium jumps that are still to come stand in slots, as many as can be under way within
the calcium delay.
"""

from __future__ import annotations

import math

import numpy as np

from cascades.errors import ExportError
from cascades.export.features import ZONES, heading, numbers, require, rule_of
from cascades.network.network import Network
from cascades.network.neuron import LeakyIntegrateAndFire
from cascades.reduction.rule import CalciumRule

TARGET = "NEST"
SHORTEST_INTERVAL = 2.0  # [ms] between presynaptic spikes: the refractory time
LARGEST_SLOTS = 32


def files(source: CalciumRule | Network) -> dict[str, str]:
    """File name to content; of a network, its rule (slots after the shortest refractory time of its
    neurons)."""
    rule = rule_of(source, TARGET)
    require(rule, TARGET)
    shortest = SHORTEST_INTERVAL
    if isinstance(source, Network):
        times = [p.neuron.refractory for p in source.neurons if isinstance(p.neuron, LeakyIntegrateAndFire)]
        shortest = max(min(times, default=shortest), source.dt)
    return {"calcium_synapse.nestml": synapse(rule, shortest), "build_nest.py": _BUILD}


def synapse(rule: CalciumRule, shortest: float = SHORTEST_INTERVAL) -> str:
    """The source of `calcium_synapse.nestml`."""
    n = numbers(rule)
    slots = max(1, math.ceil(n["delay_ca"] / shortest))
    if slots > LARGEST_SLOTS:
        raise ExportError(TARGET, "a calcium delay of many spikes", f"{slots} jumps can be under way at once")
    names = (*ZONES, "c_pre", "c_post", "well_rate", "rho_star")
    parameters = "".join(f"        {name} real = {_plain(n[name])}\n" for name in names)
    pending = "".join(f"        due_{k} ms = -1 ms\n" for k in range(slots))
    take = _take(rule, slots) * slots
    put = "".join(
        f"        {'if' if k == 0 else 'elif'} due_{k} < 0 ms:\n            due_{k} = t + delay_ca\n"
        for k in range(slots)
    )
    locals_ = "        h real = 0\n        high real = 0\n        middle real = 0\n".replace(" h ", " span ")
    locals_ += "        x real = 0\n        lc real = 0\n        left real = 0\n        k1 real = 0\n"
    locals_ += "        k2 real = 0\n        k3 real = 0\n        k4 real = 0\n"
    return f"""{heading(rule, "#")}model calcium_synapse:
    state:
        w real = 1.
        rho real = 0.5
        c real = 0.
        t_last ms = 0 ms
{pending}    parameters:
        w_max real = 1.
{parameters}        tau_ca ms = {_plain(n["tau_ca"])} ms
        delay_ca ms = {_plain(n["delay_ca"])} ms
    input:
        pre_spikes <- spike
        post_spikes <- spike
    output:
        spike
    onReceive(post_spikes):
{locals_}{take}{_visit(rule, "t", 8)}        c += c_post
    onReceive(pre_spikes):
{locals_}{take}{_visit(rule, "t", 8)}{put}        w = w_max * rho
        emit_spike(w)
"""


def _plain(number: float) -> str:
    """Without an exponent: NESTML 9 prints 1e-30 into its code as 1e-3."""
    text = np.format_float_positional(number, trim="0")
    return text if "." in text else f"{text}.0"


def _take(rule: CalciumRule, slots: int) -> str:
    """The first jump, if its time has come; the others move up.  Equal delays keep their order."""
    moved = "".join(f"            due_{k} = due_{k + 1}\n" for k in range(slots - 1))
    return (
        "        if due_0 >= 0 ms and due_0 <= t:\n"
        f"{_visit(rule, 'due_0', 12)}            c += c_pre\n{moved}            due_{slots - 1} = -1 ms\n"
    )


def _visit(rule: CalciumRule, time: str, indent: int) -> str:
    """Statements that bring the synapse to `time`."""
    n = numbers(rule)
    lines = [
        f"span = ({time} - t_last) / tau_ca",
        "lc = ln(max(c, 1e-99))",
        "high = max(lc - ln_high, 0.) - max(lc - span - ln_high, 0.)",
        "middle = max(lc - ln_low, 0.) - max(lc - span - ln_low, 0.) - high",
        *_pull(rule, "high / 2"),
        "rho = aim_high + (rho - aim_high) * exp(-rate_high * high)",
        *_pull(rule, "(high + middle) / 2"),
        "rho = aim_middle + (rho - aim_middle) * exp(-rate_middle * middle)",
    ]
    if n["rate_rest"] > 0.0:
        lines += [
            *_pull(rule, "(span - high) / 2"),
            "rho = aim_rest + (rho - aim_rest) * exp(-rate_rest * (span - high - middle))",
            *_pull(rule, "(span - high - middle) / 2"),
        ]
    else:
        lines += _pull(rule, "span - high - middle / 2")
    lines += ["c = c * exp(-span)", f"t_last = {time}"]
    return "".join(f"{' ' * indent}{line}\n" for line in lines)


def _pull(rule: CalciumRule, span: str) -> list[str]:
    if rule.well == "none":
        return []
    if rule.rho_star == 0.5:
        return [
            "x = rho - 0.5",
            f"left = exp(-well_rate * ({span}) / 2)",
            "rho = 0.5 + 0.5 * x / (x * x + (0.25 - x * x) * left + 1e-99) ** 0.5",
        ]
    slope = "-({0}) * (1 - ({0})) * (rho_star - ({0}))"
    return [
        f"left = min(well_rate * ({span}), 100.)",
        "while left > 0.:",
        "    x = min(left, 0.05)",
        "    k1 = " + slope.format("rho"),
        "    k2 = " + slope.format("rho + x / 2 * k1"),
        "    k3 = " + slope.format("rho + x / 2 * k2"),
        "    k4 = " + slope.format("rho + x * k3"),
        "    rho += x / 6 * (k1 + 2 * k2 + 2 * k3 + k4)",
        "    left -= x",
    ]


_BUILD = '''"""Build the NEST module: python build_nest.py NEURON.nestml INSTALL_FOLDER [NEST_FOLDER].

Then nest.Install("calciummodule").  NEST_FOLDER/bin has the nest-config to be used,
where NEST's own is wrong.
"""

import sys
from pathlib import Path

from pynestml.frontend.pynestml_frontend import generate_nest_target

here = Path(__file__).parent
neuron, install = Path(sys.argv[1]), sys.argv[2]
generate_nest_target(
    input_path=[str(neuron), str(here / "calcium_synapse.nestml")],
    target_path=str(here / "generated"),
    module_name="calciummodule",
    install_path=install,
    suffix="_nestml",
    logging_level="WARNING",
    codegen_opts={
        "nest_version": "v3.10.0",
        "neuron_synapse_pairs": [
            {"neuron": neuron.stem, "synapses": {"calcium_synapse": {"post_ports": ["post_spikes"]}}}
        ],
        "weight_variable": {"calcium_synapse": "w"},
        **({"nest_path": sys.argv[3]} if len(sys.argv) > 3 else {}),
    },
)
'''
