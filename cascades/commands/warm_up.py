"""Compile what later runs need, so that the first of them is as quick as the others."""

from __future__ import annotations

from typing import Annotated

import typer

from cascades.commands.progress import show_steps


def warm_up(
    names: Annotated[
        list[str] | None, typer.Argument(help="Models; all of the library if none are named.")
    ] = None,
) -> None:
    """Compile models and kernels ahead of their first use."""
    from cascades import compile_model, load_model, model_names

    with show_steps() as step:
        for name in names or model_names():
            with step(name):
                compiled = compile_model(load_model(name))
                p = compiled.parameter_array()
                y = compiled.initial_array(p)
                compiled.rates(y[0], p[0])
                compiled.jacobian(y[0], p[0])
