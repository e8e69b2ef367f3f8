"""PEtab files: the official test suite, published likelihoods, and files that are wrong.

Likelihoods at nominal parameters: AMICI's `tests/benchmark_models/benchmark_models.yaml` for the
collection of Hass et al. (2019) Bioinformatics 35:3073.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from cascades.errors import OutputExists
from cascades.fitting import FitError, FitProblem

pytest.importorskip("petab")
yaml = pytest.importorskip("yaml")

SUITE = Path(os.environ.get("PETAB_TEST_SUITE", "does-not-exist"))
BENCHMARKS = Path(os.environ.get("PETAB_BENCHMARKS", "does-not-exist"))
CASES = sorted(SUITE.glob("v*/sbml/*"))
needs_suite = pytest.mark.skipif(not CASES, reason="PETAB_TEST_SUITE names no suite")
needs_benchmarks = pytest.mark.skipif(not BENCHMARKS.is_dir(), reason="PETAB_BENCHMARKS names no folder")

PUBLISHED = {
    "Boehm_JProteomeRes2014": -138.22199693517703,
    "Fujita_SciSignal2010": 53.08377736998929,
    "Elowitz_Nature2000": 63.20279991419332,
    "Borghans_BiophysChem1997": 83.3237191357272,
    "Sneyd_PNAS2002": 319.79177818768756,
    "Brannmark_JBC2010": -141.889113770537,
    "Zheng_PNAS2012": 278.33353271001477,
}
AGREEMENT = 1e-4  # relative

# Cases that are refused or missed; this table only shrinks.
KNOWN_FAILURES: dict[str, str] = {}


@pytest.mark.oracle
@needs_suite
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parts[-3]}-{case.name}")
def test_suite(case):
    name = f"{case.parts[-3]}-{case.name}"
    if name in KNOWN_FAILURES:
        pytest.xfail(KNOWN_FAILURES[name])
    solution = yaml.safe_load((case / f"_{case.name}_solution.yaml").read_text())
    problem = FitProblem.from_petab(case / f"_{case.name}.yaml")
    found = problem.log_likelihood(problem.nominal)
    assert found == pytest.approx(solution["llh"], abs=solution["tol_llh"])


@pytest.mark.oracle
@needs_benchmarks
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_likelihoods(name):
    problem = FitProblem.from_petab(BENCHMARKS / name / f"{name}.yaml")
    found = problem.log_likelihood(problem.nominal)
    assert found == pytest.approx(PUBLISHED[name], rel=AGREEMENT)


# --- files of our own ---------------------------------------------------------------------------

FILES = {
    "problem.yaml": """\
format_version: 1
parameter_file: parameters.tsv
problems:
- sbml_files: [model.xml]
  condition_files: [conditions.tsv]
  observable_files: [observables.tsv]
  measurement_files: [measurements.tsv]
""",
    "parameters.tsv": """\
parameterId\tparameterScale\tlowerBound\tupperBound\tnominalValue\testimate
k\tlog10\t0.01\t10\t0.5\t1
sigma\tlog10\t0.001\t1\t0.1\t1
""",
    "conditions.tsv": "conditionId\tA\nlow\t1\nhigh\t2\n",
    "observables.tsv": """\
observableId\tobservableFormula\tnoiseFormula
seen\tobservableParameter1_seen * A\tsigma
""",
    "measurements.tsv": """\
observableId\tsimulationConditionId\ttime\tmeasurement\tobservableParameters
seen\tlow\t1\t0.6\t1
seen\thigh\t1\t1.3\t1
seen\thigh\t2\t1.5\t2
""",
}


@pytest.fixture
def folder(tmp_path):
    from cascades.sbml.write import to_sbml
    from tests.models import DECAY

    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "model.xml").write_text(to_sbml(DECAY))
    return tmp_path


def test_a_problem_of_our_own(folder):
    import math

    problem = FitProblem.from_petab(folder / "problem.yaml")
    assert problem.names == ("k", "sigma")
    expected = 0.0
    for value, mean in ((0.6, 1.0), (1.3, 2.0), (1.5, 4.0 * math.exp(-0.5))):
        z = (value - mean * math.exp(-0.5)) / 0.1
        expected += -0.5 * z**2 - math.log(0.1) - 0.5 * math.log(2 * math.pi)
    assert problem.log_likelihood(problem.nominal) == pytest.approx(expected, rel=1e-6)


def replaced(folder, name, old, new):
    path = folder / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_every_defect_is_named_with_its_place(folder):
    replaced(folder, "parameters.tsv", "0.01\t10\t0.5", "10\t0.01\t0.5")
    replaced(folder, "parameters.tsv", "0.001\t1\t0.1", "0.001\t1\t7")
    replaced(folder, "measurements.tsv", "high\t1\t1.3\t1", "high\t1\tNaN\t1")
    replaced(folder, "measurements.tsv", "seen\tlow", "sen\tlow")
    with pytest.raises(FitError) as caught:
        FitProblem.from_petab(folder / "problem.yaml")
    message = str(caught.value)
    for part in (
        "parameters.tsv, row 2, column lowerBound: k: the bounds 10 and 0.01 are reversed",
        "parameters.tsv, row 3, column nominalValue: sigma: 7 is outside of [0.001, 1]",
        "measurements.tsv, row 3, column measurement",
        "measurements.tsv, row 2, column observableId: no observable named 'sen'",
    ):
        assert part in message


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("measurements.tsv", "measurement\t", "measured\t", "column measurement is missing"),
        ("measurements.tsv", "seen\tlow", "seen\tlo", "no condition named 'lo'"),
        ("measurements.tsv", "1\t0.6\t1", "1\t0.6\t", "0 given, seen needs 1"),
        ("observables.tsv", "* A", "* (A", "is not a formula"),
        ("problem.yaml", "format_version: 1", "format_version: 7", "version 7 is not known"),
        ("problem.yaml", "[model.xml]", "[modell.xml]", "modell.xml: there is no such file"),
        ("problem.yaml", "[conditions.tsv]", "[condition.tsv]", "condition.tsv: there is no such file"),
        (
            "observables.tsv",
            "sigma",
            "sigmo",
            "row 2, column noiseFormula: nothing is named 'sigmo'; did you mean sigma",
        ),
        (
            "conditions.tsv",
            "conditionId\tA",
            "conditionId\tAA",
            "column AA: the model has nothing of that name",
        ),
        ("conditions.tsv", "high\t2", "low\t2", "row 3, column conditionId: this id stands in a row above"),
        (
            "measurements.tsv",
            "1.3\t1",
            "1.3\tunknown",
            "row 3, column observableParameters: nothing is named 'unknown'",
        ),
        ("parameters.tsv", "0.5\t1", "0.5\tyes", "row 2, column estimate: 'yes' is not a number"),
    ],
)
def test_single_defects(folder, name, old, new, message):
    replaced(folder, name, old, new)
    with pytest.raises(FitError, match=message):
        FitProblem.from_petab(folder / "problem.yaml")


def test_a_missing_file(folder):
    shutil.rmtree(folder / "nothing", ignore_errors=True)
    with pytest.raises(FitError, match="not a PEtab problem file"):
        FitProblem.from_petab(folder / "nothing" / "problem.yaml")


def test_a_problem_comes_back_from_its_files(tmp_path):
    from tests.fitting.problems import decay_problem

    problem = decay_problem()
    back = FitProblem.from_petab(problem.to_petab(tmp_path / "decay"))
    x = problem.nominal + 0.1
    assert back.names == problem.names
    assert back.log_likelihood(x) == pytest.approx(problem.log_likelihood(x), rel=1e-9)
    with pytest.raises(OutputExists):
        problem.to_petab(tmp_path / "decay")


def test_files_come_back_from_files(folder, tmp_path):
    problem = FitProblem.from_petab(folder / "problem.yaml")
    back = FitProblem.from_petab(problem.to_petab(tmp_path / "again"))
    assert back.log_likelihood(back.nominal) == pytest.approx(
        problem.log_likelihood(problem.nominal), rel=1e-9
    )
