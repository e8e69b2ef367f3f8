"""What a verb leaves behind: whole or not at all."""

import json

import numpy as np
import pytest

from cascades.commands.output import check_free, output_folder, print_json, print_table, to_json
from cascades.errors import OutputExists


def test_a_folder_appears_when_everything_is_written(tmp_path):
    out = tmp_path / "deep" / "out"
    with output_folder(out, force=False) as folder:
        (folder / "numbers.json").write_text("{}")
        assert not out.exists()
    assert [path.name for path in out.iterdir()] == ["numbers.json"]
    assert [path.name for path in out.parent.iterdir()] == ["out"]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, ValueError])
def test_an_interrupted_run_leaves_nothing(tmp_path, interruption):
    with pytest.raises(interruption), output_folder(tmp_path / "out", force=False) as folder:
        (folder / "half.json").write_text("{")
        raise interruption
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_is_refused_by_name(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(OutputExists, match=r"--force"), output_folder(tmp_path, force=False):
        pass


def test_force_replaces_its_own_files_and_keeps_all_others(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    (tmp_path / "report.html").write_text("old")
    with output_folder(tmp_path, force=True) as folder:
        (folder / "report.html").write_text("new")
    assert (tmp_path / "thesis.tex").read_text() == "x"
    assert (tmp_path / "report.html").read_text() == "new"


def test_an_interrupted_run_with_force_keeps_the_old_files(tmp_path):
    (tmp_path / "report.html").write_text("old")
    with pytest.raises(KeyboardInterrupt), output_folder(tmp_path, force=True) as folder:
        (folder / "report.html").write_text("new")
        raise KeyboardInterrupt
    assert (tmp_path / "report.html").read_text() == "old"


def test_a_file_is_never_taken_for_a_folder(tmp_path):
    path = tmp_path / "out"
    path.write_text("x")
    with pytest.raises(OutputExists):
        check_free(path, force=True)


def test_an_empty_folder_is_free(tmp_path):
    check_free(tmp_path, force=False)


def test_json_has_no_numbers_that_json_does_not_know():
    value = {"a": np.array([1.0, np.nan]), "b": np.float64("inf"), "c": (np.int64(3), None, True, "θ")}
    assert json.loads(to_json(value)) == {"a": [1.0, None], "b": None, "c": [3, None, True, "θ"]}


def test_json_goes_to_stdout(capsys):
    print_json({"x": 1.5})
    assert json.loads(capsys.readouterr().out) == {"x": 1.5}


def test_a_table_in_a_pipe_has_one_line_per_row(capsys):
    print_table(["name", "value"], [["a" * 60, 1.0], ["b", 123456.789]])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[2].split() == ["b", "123457"]
