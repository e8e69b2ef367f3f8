"""Plain JSON: the rule to the last bit, and the network's description."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np

from cascades.network.network import Network
from cascades.reduction.rule import CalciumRule


def files(source: CalciumRule | Network) -> dict[str, str]:
    """File name to content."""
    if isinstance(source, CalciumRule):
        return {"rule.json": source.to_json() + "\n"}
    out = {"network.json": json.dumps(_network(source), indent=1) + "\n"}
    if source.rule is not None:
        out["rule.json"] = source.rule.to_json() + "\n"
    return out


def _network(network: Network) -> dict[str, Any]:
    return {
        "format": "cascades network 1",
        "units": {"time": "ms", "potential": "mV", "conductance": "nS", "current": "pA", "rate": "Hz"},
        "dt": network.dt,
        "populations": [{**_fields(p), "kind": type(p.neuron).__name__} for p in network.neurons],
        "synapses": [{**_fields(s), "kind": type(s.connect).__name__} for s in network.synapses],
        "mechanisms": [_plain(m.describe()) for m in network.mechanisms],
        "calcium": network.calcium and {"kind": type(network.calcium).__name__, **_fields(network.calcium)},
        "rule": "rule.json" if network.rule is not None else None,
        "content_hash": network.content_hash(),
    }


def _fields(value: Any) -> dict[str, Any]:
    return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _fields(value)
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    return value
