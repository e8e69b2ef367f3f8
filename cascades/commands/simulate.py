"""Simulate a model under a protocol."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from cascades.commands.options import (
    FORCE,
    JSON,
    MODEL,
    OUT,
    PROTOCOLS,
    SET,
    read_protocol,
    read_values,
    treated,
)
from cascades.commands.output import check_free, output_folder, print_json, print_table
from cascades.errors import SolverFailure

if TYPE_CHECKING:
    from cascades.trajectory import Trajectory

_PROTOCOL = typer.Option(
    "--protocol", help=f"{', '.join(PROTOCOLS)}; arguments follow a colon: pairing:delay=0.01,count=60."
)


def simulate(
    model: MODEL,
    until: Annotated[
        float | None, typer.Option(help="End of the run; 60 s after the protocol if missing.")
    ] = None,
    protocol: Annotated[str | None, _PROTOCOL] = None,
    set_: SET = None,
    drug: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[:dose=,start=,stop=]", help="A drug of the model [uM, s]."),
    ] = None,
    tone: Annotated[
        list[str] | None, typer.Option(metavar="NAME[:level=,start=,stop=]", help="A neuromodulator, 0 to 1.")
    ] = None,
    patch: Annotated[list[str] | None, typer.Option(help="A named patch or set of the model.")] = None,
    temperature: Annotated[float | None, typer.Option(help="In degrees C, if the model knows.")] = None,
    show: Annotated[list[str] | None, typer.Option(help="A state or observable to plot and print.")] = None,
    points: Annotated[int, typer.Option(min=2, help="Output times, spaced evenly.")] = 1001,
    solver: Annotated[str | None, typer.Option(help="lsoda, bdf, radau, cvode ...")] = None,
    rtol: Annotated[float, typer.Option(min=1e-14, max=0.1, help="Relative tolerance.")] = 1e-6,
    out: OUT = None,
    force: FORCE = False,
    json: JSON = False,
) -> None:
    """Simulate a model; --out gets trajectory.csv and trajectory.png."""
    from cascades import compile_model, load_model
    from cascades.simulate import simulate as integrate
    from cascades.solvers import DEFAULT

    if out is not None:
        check_free(out, force)
    stimuli = read_protocol(protocol) if protocol else None
    loaded = load_model(model)
    values = read_values(set_)
    treatment = None
    if drug or tone or patch or temperature is not None:
        values, treatment = treated(loaded, model, values, drug, tone, patch, temperature)
    compiled = compile_model(loaded)
    end = until if until is not None else (stimuli.duration if stimuli else 0.0) + 60.0
    if treatment is not None:
        stimuli = treatment if stimuli is None else stimuli + treatment
    times = np.linspace(0.0, end, points)
    method = solver or DEFAULT
    names = tuple(show) if show else compiled.state_names
    try:
        trajectory = integrate(compiled, times, protocol=stimuli, values=values, solver=method, rtol=rtol)
    except SolverFailure as failure:
        if out is not None:
            _write(failure.trajectory, names, out, force)
            failure.add_note(f"what was reached is in {out}")
        raise
    rows = [_row(name, np.asarray(trajectory[name])[0], trajectory.units.get(name, "")) for name in names]
    if out is not None:
        _write(trajectory, names, out, force)
    if json:
        print_json({"times": times, "values": {name: np.asarray(trajectory[name])[0] for name in names}})
        return
    print_table(["name", "start", "lowest", "highest", "end", "unit"], rows)
    if out is not None:
        print(f"\nwritten: {out}/trajectory.csv, {out}/trajectory.png")


def _write(trajectory: Trajectory, names: tuple[str, ...], out: Path, force: bool) -> None:
    with output_folder(out, force) as folder:
        trajectory.save(folder / "trajectory.csv")
        _figure(trajectory, names).savefig(folder / "trajectory.png", dpi=150)


def _row(name: str, series: np.ndarray, unit: str) -> list[Any]:
    return [name, float(series[0]), float(series.min()), float(series.max()), float(series[-1]), unit]


def _figure(trajectory: Trajectory, names: tuple[str, ...]) -> Any:
    from cascades.plot import new_figure, plot_trajectory

    figure, axes = new_figure(width=7.0, height=4.0)
    plot_trajectory(trajectory, *names, axes=axes)
    return figure
