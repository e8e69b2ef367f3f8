"""The log-likelihood of a PEtab version 1 problem by other hands: libroadrunner simulates every
condition, the petab library compares with the data."""

from __future__ import annotations

import math

import numpy as np
import pandas

RTOL, ATOL = 1e-10, 1e-13
LONG = 1e5  # model time that stands for a steady state


def log_likelihood(sbml: str, tables: dict[str, pandas.DataFrame]) -> float:
    from petab.v1.calculate import calculate_llh

    measurements = tables["measurements"].copy()
    nominal = dict(
        zip(tables["parameters"]["parameterId"], tables["parameters"]["nominalValue"], strict=True)
    )
    simulated = measurements.rename(columns={"measurement": "simulation"})
    simulated["simulation"] = [
        _read(sbml, tables, nominal, row) for _, row in measurements.iterrows()
    ]  # fmt: skip
    return float(
        calculate_llh(
            measurements,
            simulated,
            tables["observables"].set_index("observableId"),
            tables["parameters"].set_index("parameterId"),
        )
    )


def _read(
    sbml: str, tables: dict[str, pandas.DataFrame], nominal: dict[str, float], row: pandas.Series
) -> float:
    """The observable of one row of the measurements, from a simulation of its own."""
    import roadrunner

    conditions = tables["conditions"].set_index("conditionId")
    before = row.get("preequilibrationConditionId")
    first = conditions.loc[row["simulationConditionId"] if _empty(before) else before]
    runner = roadrunner.RoadRunner(_rewritten(sbml, {**nominal, **_settings(first, nominal)}))
    runner.integrator.relative_tolerance, runner.integrator.absolute_tolerance = RTOL, ATOL
    runner.integrator.maximum_num_steps = 1_000_000
    now = 0.0
    if not _empty(before):
        runner.simulate(0, LONG, 2)
        now = LONG
        species = set(runner.model.getFloatingSpeciesIds())
        for name, value in _settings(conditions.loc[row["simulationConditionId"]], nominal).items():
            runner.setValue(f"[{name}]" if name in species else name, value)
    time = LONG if math.isinf(row["time"]) else float(row["time"])
    if time > 0.0:
        runner.simulate(now, now + time, 2)
    return _observable(runner, _in_amounts(sbml), tables, nominal, row)


def _settings(cells: pandas.Series, nominal: dict[str, float]) -> dict[str, float]:
    return {name: _value(cell, nominal) for name, cell in cells.items() if not _empty(cell)}


def _rewritten(sbml: str, values: dict[str, float]) -> str:
    """The model with other values of parameters, compartments and species in the file itself."""
    import libsbml

    document = libsbml.readSBMLFromString(sbml)
    model = document.getModel()
    for name, value in values.items():
        element = model.getElementBySId(name)
        if element is None:
            continue
        model.removeInitialAssignment(name)
        kind = element.getElementName()
        if kind == "parameter":
            element.setValue(value)
        elif kind == "compartment":
            element.setSize(value)
        elif element.getHasOnlySubstanceUnits():
            element.setInitialAmount(value)
        else:
            element.setInitialConcentration(value)
    return libsbml.writeSBMLToString(document)


def _observable(runner, amounts, tables, nominal, row) -> float:  # type: ignore[no-untyped-def]
    observables = tables["observables"].set_index("observableId")
    formula = str(observables.loc[row["observableId"], "observableFormula"])
    values = dict(nominal)
    for k, argument in enumerate(str(row.get("observableParameters", "")).split(";"), start=1):
        if argument not in ("", "nan"):
            values[f"observableParameter{k}_{row['observableId']}"] = _value(argument, nominal)
    model = runner.model
    values |= {n: runner.getValue(n) for n in [*model.getGlobalParameterIds(), *model.getCompartmentIds()]}
    for name in model.getFloatingSpeciesIds():
        values[name] = runner.getValue(name if name in amounts else f"[{name}]")
    values["time"] = float(row["time"])
    functions = {"log": np.log, "ln": np.log, "exp": np.exp, "log10": np.log10, "sqrt": np.sqrt}
    return float(eval(formula.replace("^", "**"), {"__builtins__": {}}, {**functions, **values}))


def _in_amounts(sbml: str) -> set[str]:
    import libsbml

    document = libsbml.readSBMLFromString(sbml)
    return {s.getId() for s in document.getModel().getListOfSpecies() if s.getHasOnlySubstanceUnits()}


def _value(cell, nominal) -> float:  # type: ignore[no-untyped-def]
    try:
        return float(cell)
    except ValueError:
        return float(nominal[cell])


def _empty(cell) -> bool:  # type: ignore[no-untyped-def]
    return cell is None or cell == "" or (isinstance(cell, float) and math.isnan(cell))
