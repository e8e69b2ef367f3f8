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
        typer.Option("--second", metavar="PARAMETER LOW HIGH", help="Follow the folds in this one too."),
    ] = None,
    set_: SET = None,
    show: Annotated[
        str | None, typer.Option(help="The state or observable to plot; the first state if missing.")
    ] = None,
    out: OUT = None,
    force: FORCE = False,
    json: JSON = False,
) -> None:
    """Follow all equilibria along a parameter, and its folds along a second one.

    --out gets branch.csv and branch.png, with --second also folds.csv and folds.png.
    """
    import cascades
    from cascades.continuation import branches, fold_curves

    if out is not None:
        check_free(out, force)
    compiled = cascades.compile_model(cascades.load_model(model))
    values = read_values(set_)
    found = branches(compiled, parameter, (low, high), values=values)
    curves = []
    if second:
        folds = [fold for one in found for fold in one.of_kind("fold")]
        plane = (parameter, second[0]), ((low, high), second[1:])
        curves = fold_curves(found[0].problem, folds, *plane)
    if out is not None:
        with output_folder(out, force) as folder:
            _table(found).to_csv(folder / "branch.csv", index=False)
            _figure(found, show or compiled.state_names[0]).savefig(folder / "branch.png", dpi=150)
            if second:
                _table(curves).to_csv(folder / "folds.csv", index=False)
                _plane(curves, parameter, second[0]).savefig(folder / "folds.png", dpi=150)
    if json:
        print_json([_record(one) for one in (*found, *curves)])
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
    for i, curve in enumerate(curves):
        for point in curve.special_points:
            if second and point.kind != "end":
                at = ", ".join(f"{name} = {point.values[name]:.8g}" for name in (parameter, second[0]))
                print(f"fold curve {i + 1}: {point.kind} at {at}")


def _plane(curves: list[Any], first: str, second: str) -> Any:
    from cascades.plot import COLOURS, new_figure

    figure, axes = new_figure(width=6.0, height=4.0)
    for i, curve in enumerate(curves):
        axes.plot(curve[first], curve[second], color=COLOURS[i % len(COLOURS)])
        for point in curve.of_kind("cusp"):
            axes.plot(point.values[first], point.values[second], "k.", markersize=8)
    axes.set_xlabel(first)
    axes.set_ylabel(second)
    return figure


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
