"""Assignment, rate and algebraic rules.  A rule without a formula has no effect."""

from __future__ import annotations

from typing import Any

from cascades.model import AlgebraicRule, AssignmentRule, RateRule
from cascades.sbml.formulas import read_formula
from cascades.sbml.reading import Reading

Rule = AssignmentRule | RateRule | AlgebraicRule


def read_rules(model: Any, reading: Reading) -> tuple[Rule, ...]:
    rules: list[Rule] = []
    for index, one in enumerate(model.getListOfRules()):
        if not one.isSetMath():
            continue
        variable = one.getVariable()
        if one.isAlgebraic():
            where = f"algebraic rule {one.getIdAttribute() or index + 1}"
            rules.append(AlgebraicRule(read_formula(one.getMath(), reading, where)))
        elif one.isRate():
            rules.append(
                RateRule(variable, read_formula(one.getMath(), reading, f"rate rule for {variable}"))
            )
        else:
            formula = read_formula(one.getMath(), reading, f"assignment rule for {variable}")
            rules.append(AssignmentRule(variable, formula))
    return tuple(rules)
