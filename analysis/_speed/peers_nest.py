"""NEST with the same rule as a NESTML synapse, event-driven, through our export."""

from __future__ import annotations

import os
from collections.abc import Callable

from analysis._speed import peers
from analysis._speed.network import RULE
from cascades.export.nestml import files
from cascades.export.on_nest import build_module
from cascades.network import balanced_network

INPUTS, BIOLOGICAL = 100, 1.0

GO = """
import runpy, sys, time
sys.argv = ["network.py", "0", "1", "1", "."]
nest = runpy.run_path("network.py", run_name="described")["nest"]
nest.Prepare()
nest.Run(200.0)
for line in sys.stdin:
    begun = time.process_time()
    nest.Run(BIOLOGICAL * 1e3)
    print("seconds", (time.process_time() - begun) / BIOLOGICAL, flush=True)
""".replace("BIOLOGICAL", repr(BIOLOGICAL))


def is_there(python: str) -> bool:
    return peers.has(python, "nest, pynestml")


def contests(python: str, quick: bool) -> list[peers.Contest]:
    """Whole networks."""

    def peer(neurons: int) -> Callable[[], peers.Peer]:
        def start() -> peers.Peer:
            texts = files(balanced_network(RULE, neurons=neurons, inputs=INPUTS))
            search = os.environ.get("LD_LIBRARY_PATH", "")
            module = f"{build_module(python, texts)}{os.pathsep}{search}"
            return peers.Peer(python, {**texts, "go.py": GO}, (), LD_LIBRARY_PATH=module)

        return start

    return [
        peers.Contest(f"network {neurons} x {INPUTS}: NEST with NESTML",
                      peers.our_network(neurons, INPUTS, 1.0), peer(neurons), 15.0)
        for neurons in ((2000,) if quick else (2000, 10_000))
    ]  # fmt: skip
