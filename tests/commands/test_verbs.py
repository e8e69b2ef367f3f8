"""The verbs as a user calls them."""

import json

import pytest

from cascades import __version__
from cascades.commands import COMMANDS

PRINTED_DIGITS = 1e-6
FOLDS = [0.0923521, 0.219568, 0.363130, 0.373918]  # Ca [uM]; ModelDB 114452, Graupner & Brunel (2007)


def test_help_names_every_verb(cascades):
    result = cascades("--help")
    assert result.code == 0
    assert all(verb in result.out for verb in COMMANDS)


@pytest.mark.parametrize("verb", COMMANDS)
def test_every_verb_explains_itself(cascades, verb):
    result = cascades(verb, "--help")
    assert result.code == 0
    assert "Usage: cascades" in result.out


def test_version(cascades):
    assert cascades("--version").out == f"cascades {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["simulate", "camkii_graupner_2006"], "did you mean camkii_graupner_2007"),
        (["equilibria", "camkii_graupner_2007", "--set", "Caa=0.1"], "did you mean Ca"),
        (["branch", "camkii_graupner_2007", "k_12", "1", "2"], "did you mean k12"),
        (["branch", "camkii_graupner_2007", "Ca", "2", "1"], "two increasing numbers"),
        (["simulate", "camkii_graupner_2007", "--solver", "cvod"], "did you mean cvode"),
        (["simulate", "spine_graupner_2007", "--protocol", "lfss"], "did you mean lfs"),
        (["models", "camkii_graupner"], "did you mean camkii_graupner_2007"),
        (["models", "--module", "CaMK"], "did you mean CaMKII"),
        (["network", "DPX"], "did you mean DP"),
        (["network", "DP", "--on", "nes"], "did you mean nest"),
        (["simulate", "no_such_file.xml"], "no_such_file.xml"),
        (["simulate", "spine_cascades", "--drug", "AP-5"], "did you mean AP5"),
        (["simulate", "spine_cascades", "--tone", "dopamin"], "did you mean dopamine"),
        (["simulate", "spine_cascades", "--patch", "anisomicin"], "did you mean anisomycin"),
        (["simulate", "spine_cascades", "--drug", "AP5:dosis=1"], "did you mean dose"),
        (["simulate", "spine_cascades", "--protocol", "prime"], "did you mean priming"),
    ],
)
def test_an_unknown_name_is_one_line_with_the_nearest_name(cascades, arguments, hint):
    result = cascades(*arguments)
    assert result.code == 1
    assert hint in result.err
    assert result.err.startswith("cascades: ")
    assert "Traceback" not in result.err
    assert result.out == ""


def test_ranks_without_nest_are_refused(cascades):
    result = cascades("network", "DP", "--ranks", "2")
    assert result.code == 1
    assert "--on nest" in result.err


def test_a_network_is_finished_by_the_same_command(cascades, tmp_path):
    state = str(tmp_path / "state.npz")
    small = ("network", "DP", "--neurons", "100", "--synapses", "10", "--checkpoint", state)
    first = cascades(*small, "--duration", "0.05")
    assert first.code == 0, first.err
    longer = cascades(*small, "--duration", "0.1")
    assert longer.code == 0, longer.err
    again = cascades(*small, "--duration", "0.1")
    assert again.code == 1
    assert "stands at 100 ms: nothing is left to run" in again.err
    other = cascades(*small, "--on", "nest")
    assert "only this package's own layer resumes" in other.err


def test_a_negative_rate_is_refused(cascades):
    result = cascades("simulate", "spine_graupner_2007", "--protocol", "hfs:rate=-1")
    assert result.code == 1
    assert "the rate must be positive" in result.err


@pytest.mark.parametrize("verb", [("simulate",), ("equilibria",), ("branch", "PP1_total", "0.1", "0.2")])
def test_a_negative_concentration_is_refused(cascades, verb):
    name, *rest = verb
    result = cascades(name, "camkii_graupner_2007", *rest, "--set", "Ca=-1")
    assert result.code == 1
    assert "Ca: a concentration cannot be negative (got -1 uM)" in result.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--drug", "AP5:dose=-1"], "the dose must lie between 0 and 500 uM"),
        (
            ["--patch", "dopamine", "--patch", "noradrenaline"],
            "PKA_tone is 1.5 in dopamine and 1.3 in",
        ),
        (["--patch", "AP5", "--drug", "AP5"], "a patch sets left_NMDA already"),
        (["--protocol", "early_ltp", "--until", "0.5"], "a stimulus comes after the run ends at 0.5"),
        (["--temperature", "60"], "between 20 and 40 degrees C"),
    ],
)
def test_a_treatment_that_makes_no_sense_is_refused(cascades, arguments, message):
    result = cascades("simulate", "spine_cascades", *arguments)
    assert result.code == 1
    assert message in result.err
    assert "Traceback" not in result.err


def test_a_drug_takes_potentiation_away(cascades):
    def efficacy(*treatment):
        arguments = ["--protocol", "early_ltp", "--show", "efficacy", "--points", "3", "--json", *treatment]
        return json.loads(cascades("simulate", "spine_cascades", *arguments).out)["values"]["efficacy"][-1]

    assert efficacy() > 1.3
    assert efficacy("--drug", "AP5") < 1.05
    assert efficacy("--temperature", "25") != efficacy()


def test_simulate_prints_a_row_per_state(cascades):
    result = cascades("simulate", "switch_pi_2008", "--until", "10", "--points", "11")
    assert result.code == 0
    assert result.out.splitlines()[0].split() == ["name", "start", "lowest", "highest", "end", "unit"]


def test_simulate_as_json_and_files(cascades, tmp_path):
    out = tmp_path / "run"
    arguments = ["camkii_graupner_2007", "--set", "Ca=1", "--until", "3", "--points", "4", "--show", "S"]
    result = cascades("simulate", *arguments, "--out", out, "--json")
    record = json.loads(result.out)
    assert record["times"] == [0.0, 1.0, 2.0, 3.0]
    assert record["values"]["S"][-1] > 100.0
    assert sorted(path.name for path in out.iterdir()) == ["trajectory.csv", "trajectory.png"]
    assert cascades("simulate", *arguments, "--out", out).code == 1
    assert cascades("simulate", *arguments, "--out", out, "--force").code == 0


def test_branch_finds_the_published_folds(cascades):
    result = cascades("branch", "camkii_graupner_2007", "Ca", "0.02", "2", "--json")
    found = [p["value"] for branch in json.loads(result.out) for p in branch["special_points"]]
    assert sorted(found) == pytest.approx(FOLDS, abs=PRINTED_DIGITS)


def test_equilibria_of_the_switch(cascades):
    result = cascades("equilibria", "camkii_graupner_2007", "--set", "Ca=0.1", "--json")
    assert [e["is_stable"] for e in json.loads(result.out)] == [True, False, True]


def test_one_model_shows_equations_constants_and_ports(cascades):
    result = cascades("models", "camkii_graupner_2007")
    assert result.code == 0
    assert "Graupner M, Brunel N (2007)" in result.out
    assert "doi:10.1371/journal.pcbi.0030221" in result.out
    assert "B0 -> B1" in result.out
    assert "k12" in result.out
    assert "Fig. 3C" in result.out


def test_the_library_is_listed_by_module(cascades):
    record = json.loads(cascades("models", "--module", "camkii", "--json").out)
    names = [row["model"] for row in record]
    assert {"camkii_graupner_2007", "switch_pi_2008"} <= set(names)
    assert all(row["module"] == "CaMKII" for row in record)
    assert all("?" not in row["claims that hold"] for row in record)


def test_folds_are_followed_in_a_second_parameter(cascades, tmp_path):
    """The cusp of the Graupner-Brunel switch in calcium and KM, and each fold curve once."""
    arguments = ["branch", "camkii_graupner_2007", "Ca", "0.02", "2", "--second", "KM", "0.1", "10"]
    result = cascades(*arguments, "--out", str(tmp_path / "out"))
    assert result.code == 0
    cusps = [line for line in result.out.splitlines() if "cusp at" in line]
    assert any("Ca = 0.35651133, KM = 3.4470538" in line for line in cusps)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"branch.csv", "branch.png", "curves.csv", "curves.png"}
