"""Names, units and files of results."""

from __future__ import annotations

import numpy as np
import pandas
import pytest

from cascades.compiler.compiled import compile_model
from cascades.errors import UnknownName
from cascades.simulate import simulate
from tests.models import DECAY


@pytest.fixture(scope="module")
def trajectory():
    return simulate(compile_model(DECAY), [0.0, 1.0, 2.0], values={"k": [0.5, 1.0]})


def test_series_have_names_and_units(trajectory):
    series = trajectory["A"]
    assert series.shape == (2, 3)
    assert series.name == "A"
    with pytest.raises(UnknownName, match="did you mean A"):
        trajectory["a"]


def test_tables(trajectory):
    dataset = trajectory.to_xarray("A", "doubled")
    assert dict(dataset.sizes) == {"member": 2, "time": 3}
    assert dataset.attrs["model"] == "decay"
    frame = trajectory.to_dataframe()
    assert list(frame.columns) == ["member", "time", "A", "B"]


@pytest.mark.parametrize("ending", ["csv", "npz"])
def test_files_are_whole_or_absent(trajectory, tmp_path, ending):
    path = trajectory.save(tmp_path / f"run.{ending}")
    assert [p.name for p in tmp_path.iterdir()] == [f"run.{ending}"]
    if ending == "csv":
        np.testing.assert_allclose(pandas.read_csv(path)["A"], trajectory["A"].ravel(), rtol=1e-12)
    else:
        with np.load(path) as stored:
            np.testing.assert_array_equal(stored["values"], trajectory.values)
