"""The verbs of the command line, one file each; `COMMANDS` lists them all."""

from __future__ import annotations

from collections.abc import Callable

from cascades.commands.branch import branch
from cascades.commands.equilibria import equilibria
from cascades.commands.fit import fit
from cascades.commands.models import models
from cascades.commands.network import network
from cascades.commands.rule import rule
from cascades.commands.run import run
from cascades.commands.simulate import simulate
from cascades.commands.warm_up import warm_up

COMMANDS: dict[str, Callable[..., None]] = {
    "run": run,
    "models": models,
    "simulate": simulate,
    "equilibria": equilibria,
    "branch": branch,
    "rule": rule,
    "network": network,
    "fit": fit,
    "warm-up": warm_up,
}
