"""A shipped model and its measured claims as a fit problem."""

from __future__ import annotations

import numpy as np
import pytest

from cascades.errors import UnknownName
from cascades.fitting.claims import from_claims

# chi2 at the start values over the six experiments, computed apart from the fitting room by one
# simulation per claim (`cascades.simulate` with the doses as members).
CHI2_AT_START = 93.4965


def test_the_dose_responses_are_measurements():
    problem = from_claims("camkii_eriksson_2019", ["kautMax", "KD_CaM_Ca4_K"])
    assert len(problem.measurements) == 94
    chi2 = float((problem.residuals(problem.nominal) ** 2).sum())
    assert chi2 == pytest.approx(CHI2_AT_START, rel=1e-4)
    assert np.isfinite(problem.gradient(problem.nominal)).all()


def test_an_unknown_parameter_is_named():
    with pytest.raises(UnknownName, match="did you mean kautMax"):
        from_claims("camkii_eriksson_2019", ["kautMx"])
