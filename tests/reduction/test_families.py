"""The protocols that rules are fitted to, chosen by and judged by."""

from __future__ import annotations

import numpy as np

from cascades.reduction.families import BUDGETS, FAMILIES, Case, held_out, training, validation


def _experiments(families: dict[str, list[Case]]) -> set[tuple[object, ...]]:
    return {(case.pre, case.post, case.scale) for cases in families.values() for case in cases}


def test_what_judges_is_never_chosen_by():
    trained = {(case.pre, case.post, case.scale) for case in training()}
    chosen, judged = _experiments(validation()), _experiments(held_out())
    assert not chosen & judged
    assert not trained & (chosen | judged)


def test_both_sets_have_every_kind_of_experiment():
    for families in (validation(), held_out()):
        timing = [name for name in families if name.startswith("spike timing")]
        others = {name for name in families if not name.startswith("spike timing")}
        assert len(timing) == 3
        assert others == set(FAMILIES)


def test_the_quick_budget_keeps_a_share_of_each_family():
    whole, quick = held_out(), held_out("quick")
    assert list(whole) == list(quick)
    for name, cases in quick.items():
        assert len(cases) == -(-len(whole[name]) // BUDGETS["quick"])
        assert {case.name for case in cases} <= {case.name for case in whole[name]}


def test_spikes_are_sorted_and_begin_after_the_start():
    for families in (validation(), held_out()):
        for cases in families.values():
            for case in cases:
                for train in (case.pre, case.post):
                    assert (np.diff(train) >= 0.0).all()
                    assert not train or train[0] > 0.0
