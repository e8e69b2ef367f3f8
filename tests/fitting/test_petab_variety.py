# ruff: noqa: E501 - a row of a table is a line
"""One small problem per feature of PEtab version 1 that the collection uses, against other hands."""

from __future__ import annotations

import io

import numpy as np
import pandas
import pytest

pytest.importorskip("petab")
pytest.importorskip("roadrunner")

from cascades.fitting import FitProblem
from cascades.sbml.antimony import to_sbml
from tests.fitting import oracle
from tests.fitting.test_petab import FILES

AGREEMENT = 1e-6  # relative; the bar for problems that nobody has seen is 1e-4
GRADIENT = 1e-4  # against differences of our own likelihood

CHAIN = """
model chain
  compartment cell = 2;  species A in cell = 1, B in cell = 0.1, C in cell = 0;
  k1 = 0.7; k2 = 0.3; k3 = 0.05; basal = 0.01
  make: -> A; cell * basal;  one: A -> B; cell * k1 * A;  two: B -> C; cell * k2 * B;  lose: C -> ; cell * k3 * C
end"""
MODELS = {
    "chain": CHAIN,
    "assigned initial": CHAIN.replace("A in cell = 1", "A in cell = 2 * a0 + b0").replace(
        "basal = 0.01", "basal = 0.01; a0 = 1; b0 = 0.5"
    ),
    "rule": CHAIN.replace("end", "  total := A + B + C; ratio := B / (total + 0.1)\nend"),
    "pulse in time": CHAIN.replace("k1 = 0.7", "k1 := kmax * piecewise(1, time < 1.5, 0.1); kmax = 0.7"),
    "smooth in time": CHAIN.replace("k1 = 0.7", "k1 := kmax * (1 + 0.5 * sin(2 * time)); kmax = 0.7"),
    "event": CHAIN.replace("end", "  when: at (time > 1.3): A = A + dose;  dose = 0.8\nend"),
    "event of a state": CHAIN.replace("end", "  high: at (B > 0.35): k2 = 2 * fast;  fast = 0.8\nend"),
    "rate rule": CHAIN.replace(
        "end", "  signal = 1; signal' = -0.4 * signal; push: -> B; cell * 0.2 * signal\nend"
    ),
    "amounts": CHAIN.replace("species A in cell", "substanceOnly species A in cell").replace(
        "k1 * A", "k1 * A / cell"
    ),
}
ONE = "k1\tlog10\t0.01\t10\t0.6\t1\nk2\tlog10\t0.01\t10\t0.4\t1\nsigma\tlog10\t0.001\t10\t0.2\t1\n"
FREE = (
    ONE
    + "scale\tlog10\t0.1\t10\t1.7\t1\noffset\tlin\t-5\t5\t0.2\t1\na_start\tlog10\t0.1\t10\t1.3\t1\nfixed\tlin\t0\t5\t0.35\t0\n"
)
HEAD = "observableId\tsimulationConditionId\ttime\tmeasurement"


def case(model="chain", parameters=ONE, conditions="conditionId\nc0\n", observables="", measurements=""):
    return model, {
        "parameters": "parameterId\tparameterScale\tlowerBound\tupperBound\tnominalValue\testimate\n" + parameters,
        "conditions": conditions, "observables": observables, "measurements": measurements,
    }  # fmt: skip


SEEN = "observableId\tobservableFormula\tnoiseFormula\nseen\tB + 2 * C\tsigma\n"
TIMES = (
    f"{HEAD}\nseen\tc0\t0\t0.2\nseen\tc0\t0.7\t0.4\nseen\tc0\t2\t0.9\nseen\tc0\t2\t1.1\nseen\tc0\t6\t1.2\n"
)
CASES = {
    "plain": case(observables=SEEN, measurements=TIMES),
    **{name: case(name, observables=SEEN, measurements=TIMES) for name in MODELS if name != "assigned initial"},
    "log10 noise": case(
        observables=SEEN.replace("noiseFormula", "noiseFormula\tobservableTransformation\tnoiseDistribution")
        .replace("sigma\n", "sigma\tlog10\tnormal\n"), measurements=TIMES,
    ),
    "log laplace": case(
        observables=SEEN.replace("noiseFormula", "noiseFormula\tobservableTransformation\tnoiseDistribution")
        .replace("sigma\n", "sigma\tlog\tlaplace\n"), measurements=TIMES,
    ),
    "noise that grows with the observable": case(
        parameters=FREE, observables=SEEN.replace("\tsigma\n", "\tsigma + offset * seen\n"), measurements=TIMES,
    ),
    "several placeholders": case(
        parameters=FREE,
        observables="observableId\tobservableFormula\tnoiseFormula\n"
        "seen\tobservableParameter1_seen * (B + observableParameter2_seen * C) + observableParameter3_seen\t"
        "noiseParameter1_seen * noiseParameter2_seen\n",
        measurements=f"{HEAD}\tobservableParameters\tnoiseParameters\n"
        "seen\tc0\t1\t0.9\tscale;2;offset\tsigma;1.5\nseen\tc0\t2\t1.4\t1.2;fixed;0\t0.3;sigma\n"
        "seen\tc0\t2\t1.5\tscale;fixed;0.1\t0.3;2\n",
    ),
    "two pre-equilibrations": case(
        parameters=FREE,
        conditions="conditionId\tk1\tbasal\tA\nrest\t0.2\t0.3\t\nother\t0.9\tfixed\t2\nc0\tk_not\t0.0\t\nc1\t0.5\t0.1\ta_start\n"
        .replace("k_not", "0.8"),
        observables=SEEN,
        measurements=f"preequilibrationConditionId\t{HEAD}\nrest\tseen\tc0\t0\t3\nrest\tseen\tc0\t2\t2\n"
        "other\tseen\tc0\t1\t3\nother\tseen\tc1\t3\t2.5\n\tseen\tc1\t2\t1.5\n",
    ),
    "steady state": case(
        conditions="conditionId\tbasal\nc0\t0.3\nc1\t0.1\n", observables=SEEN,
        measurements=f"{HEAD}\nseen\tc0\tinf\t13\nseen\tc1\tinf\t4\nseen\tc1\t3\t1\n",
    ),
    "estimated initial values and sizes": case(
        parameters=FREE,
        conditions="conditionId\tA\tcell\tk3\nc0\ta_start\t3\tfixed\nc1\t0.4\tscale\t0.1\n",
        observables=SEEN, measurements=f"{HEAD}\nseen\tc0\t1\t0.9\nseen\tc1\t2\t1\nseen\tc0\t4\t1.4\n",
    ),
    "initial assignments of fitted parameters": case(
        "assigned initial", ONE + "a0\tlog10\t0.1\t10\t0.8\t1\n",
        conditions="conditionId\tb0\nc0\t0.1\nc1\t1.5\n", observables=SEEN,
        measurements=f"{HEAD}\nseen\tc0\t1\t0.9\nseen\tc1\t2\t1\nseen\tc0\t0\t0.1\n",
    ),
    "observables of rules": case(
        "rule", FREE, observables="observableId\tobservableFormula\tnoiseFormula\nseen\tscale * ratio + log(total + 1)\tsigma\n",
        measurements=TIMES,
    ),
}  # fmt: skip


def write(folder, name):
    model, tables = CASES[name]
    sbml = to_sbml(MODELS[model])
    (folder / "problem.yaml").write_text(FILES["problem.yaml"])
    (folder / "model.xml").write_text(sbml)
    for table, text in tables.items():
        (folder / f"{table}.tsv").write_text(text)
    return sbml, {table: pandas.read_csv(io.StringIO(text), sep="\t") for table, text in tables.items()}


@pytest.mark.parametrize("name", CASES)
def test_other_hands_agree(tmp_path, name):
    sbml, tables = write(tmp_path, name)
    problem = FitProblem.from_petab(tmp_path / "problem.yaml")
    ours = problem.log_likelihood(problem.nominal)
    assert ours == pytest.approx(oracle.log_likelihood(sbml, tables), rel=AGREEMENT)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_gradients(tmp_path, name):
    write(tmp_path, name)
    problem = FitProblem.from_petab(tmp_path / "problem.yaml")
    x = problem.nominal + 0.01
    unit = 1e-3 * np.eye(x.size)
    points = np.concatenate([x + k * unit for k in (1, -1, 2, -2)])
    found = [e.log_likelihood for e in problem.objective.evaluate_many(points, slopes=False)]
    up, down, up2, down2 = np.array(found).reshape(4, -1)
    differences = (8 * (up - down) - (up2 - down2)) / (12 * 1e-3)
    gradient = problem.gradient(x)
    np.testing.assert_allclose(gradient, differences, atol=GRADIENT * np.abs(gradient).max())
