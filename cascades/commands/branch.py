"""Follow the equilibria of a model along one parameter."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cascades.commands.options import FORCE, JSON, MODEL, OUT, SET, read_values
from cascades.commands.output import check_free, output_folder, print_json, print_table


def branch(
    model: MODEL,
    parameter: Annotated[str, typer.Argument(help="A parameter or a conserved total.")],
    low: Annotated[float, typer.Argument()],
    high: Annotated[float, typer.Argument()],
    second: Annotated[
        tuple[str, float, float] | None,
        typer.Option(
            "--second", metavar="PARAMETER LOW HIGH", help="Follow folds and Hopf points in this too."
        ),
    ] = None,
    set_: SET = None,
    show: Annotated[
        str | None, typer.Option(help="The state or observable to plot; the first state if missing.")
    ] = None,
    out: OUT = None,
    force: FORCE = False,
    json: JSON = False,
) -> None:
    """Follow all equilibria along a parameter, and their folds and Hopf points along a second one.

    --out gets branch.csv and branch.png, with --second also curves.csv and curves.png.  Ctrl-C keeps the
    branches so far.
    """
    import cascades
    from cascades.compiler.signs import refuse_negative
    from cascades.continuation import as_problem, branches, fold_curves, hopf_curves

    if out is not None:
        check_free(out, force)
    compiled = cascades.compile_model(cascades.load_model(model))
    values = read_values(set_)
    refuse_negative(compiled, values)
    found = branches(compiled, parameter, (low, high), values=values)
    curves = []
    if second:
        plane = (parameter, second[0]), ((low, high), second[1:])
        problem = as_problem(compiled, plane[0])
        for kind, follow in (("fold", fold_curves), ("hopf", hopf_curves)):
            points = [point for one in found for point in one.of_kind(kind)]
            curves += [(kind, curve) for curve in follow(problem, points, *plane)]
    if out is not None:
        with output_folder(out, force) as folder:
            _table(found).to_csv(folder / "branch.csv", index=False)
            _figure(found, show or compiled.state_names[0]).savefig(folder / "branch.png", dpi=150)
            if second:
                _curves_table(curves).to_csv(folder / "curves.csv", index=False)
                _plane(curves, parameter, second[0]).savefig(folder / "curves.png", dpi=150)
    if json:
        print_json([_record(one) for one in (*found, *(curve for _, curve in curves))])
        return
    rows = []
    for i, one in enumerate(found):
        kind = "closed" if one.closed else "open"
        points = [p for p in one.special_points if p.kind != "end"]
        rows += [[i + 1, kind, p.kind, p.value] for p in points] or [[i + 1, kind, "none", None]]
    print_table(["branch", "", "special point", parameter], rows)
    for i, one in enumerate(found):
        if one.stopped_because:
            print(f"branch {i + 1}: {len(one)} points; {one.stopped_because}")
        for sentence in one.dropped:
            print(f"branch {i + 1}: {sentence}")
    for i, (kind, curve) in enumerate(curves):
        for point in curve.special_points:
            at = ", ".join(f"{name} = {value:.8g}" for name, value in point.values.items())
            form = "".join(f"; {name} = {value:.4g}" for name, value in point.coefficients.items())
            print(f"{kind} curve {i + 1}: {point.kind} at {at}{form}")
        for sentence in curve.dropped:
            print(f"{kind} curve {i + 1}: {sentence}")


def _plane(curves: list[tuple[str, Any]], first: str, second: str) -> Any:
    from cascades.plot import COLOURS, new_figure

    figure, axes = new_figure(width=6.0, height=4.0)
    for i, (kind, curve) in enumerate(curves):
        curve.plot(axes, color=COLOURS[i % len(COLOURS)], linestyle="--" if kind == "hopf" else "-")
    axes.set(xlabel=first, ylabel=second)
    return figure


def _curves_table(curves: list[tuple[str, Any]]) -> Any:
    import pandas

    tables = [curve.to_dataframe().assign(curve=i + 1, of=kind) for i, (kind, curve) in enumerate(curves)]
    return pandas.concat(tables) if tables else pandas.DataFrame()


def _record(one: Any) -> dict[str, Any]:
    points = [
        {"kind": p.kind, "value": p.value, "state": p.state} for p in one.special_points if p.kind != "end"
    ]
    return {
        "closed": one.closed,
        "stopped_because": one.stopped_because,
        "special_points": points,
        "values": one.values,
        "is_stable": one.is_stable,
        "states": {name: one[name] for name in one.problem.state_names},
    }


def _table(found: list[Any]) -> Any:
    import pandas

    return pandas.concat([one.to_dataframe().assign(branch=i + 1) for i, one in enumerate(found)])


def _figure(found: list[Any], name: str) -> Any:
    from cascades.plot import COLOURS, new_figure

    figure, axes = new_figure(width=6.0, height=4.0)
    for i, one in enumerate(found):
        one.plot(axes, name, color=COLOURS[i % len(COLOURS)])
    return figure
