"""Fit a model to data."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from cascades.commands.options import FORCE, JSON, OUT, SEED
from cascades.commands.output import check_free, output_folder, print_json, print_table
from cascades.commands.progress import show_steps


def fit(
    problem: Annotated[Path, typer.Argument(help="A PEtab problem (.yaml), version 1 or 2.")],
    starts: Annotated[int, typer.Option(min=1, help="Local searches.")] = 20,
    screened: Annotated[
        int, typer.Option(min=1, help="Points that every start looks at before it searches from the best.")
    ] = 100,
    method: Annotated[str, typer.Option(help="trust region, least squares, or cma.")] = "trust region",
    resume: Annotated[
        Path | None, typer.Option(help="Keep every finished start here, and go on from what is kept.")
    ] = None,
    profiles: Annotated[
        list[str] | None,
        typer.Option("--profile", help="A parameter; may be given several times."),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that share the starts.")] = os.cpu_count()
    or 1,
    seed: SEED = 0,
    out: OUT = None,
    force: FORCE = False,
    json: JSON = False,
) -> None:
    """Fit a PEtab problem from many starts; --out gets fit.html, starts.csv, directions.csv and a
    table per profile."""
    from cascades.fitting import FitProblem, identifiability, profile
    from cascades.fitting import fit as fit_problem

    if out is not None:
        check_free(out, force)
    with show_steps() as step:
        with step(f"read {problem}"):
            loaded = FitProblem.from_petab(problem)
        with step(f"{starts} starts") as report:
            result = fit_problem(
                loaded, starts=starts, seed=seed, method=method, screened=screened, folder=resume,
                workers=workers,
                progress=lambda done, best: report(done, f"best objective {best:.6g}"),
            )  # fmt: skip
        with step("identifiability"):
            local = identifiability(loaded, np.array(result.best.x))
        found = []
        for name in profiles or ():
            with step(f"profile of {name}"):
                found.append(profile(result, name))
    if out is not None:
        from cascades.report.fit_page import fit_page
        from cascades.report.html import render

        with output_folder(out, force) as folder:
            (folder / "fit.html").write_text(render(fit_page(result, local, found)), encoding="utf-8")
            result.to_dataframe().to_csv(folder / "starts.csv", index=False)
            local.to_dataframe().to_csv(folder / "directions.csv", index=False)
            for one in found:
                one.to_dataframe().to_csv(folder / f"profile_{one.name}.csv", index=False)
    if json:
        print_json({"objective": result.best.objective, "values": result.values, "starts": result.starts})
        return
    rows = [
        (name, result.values[name], float(error))
        for name, error in zip(loaded.names, local.standard_errors, strict=True)
    ]
    heights = [start.objective for start in result.starts]
    near = sum(height <= heights[0] + 1e-3 for height in heights)
    title = f"{loaded.name}: objective {heights[0]:.6g}, reached by {near} of {len(heights)} starts"
    print_table(("parameter", "value", "error on its scale"), rows, title)
    for direction in local.null_directions:
        print("not seen by the data: " + ", ".join(f"{n} {c:+.2f}" for n, c in direction.items()))
    for one in found:
        print(f"profile of {one.name}: {one.verdict}, [{one.interval[0]:.4g}, {one.interval[1]:.4g}]")
