"""`delay(x, tau)` without a history, where x does not depend on what it delays.

A second copy of the equations that x follows, started `tau` later, is x delayed: exact in any
solver.  Where x has a closed form in time, time itself is shifted, and `tau` may vary.  A delay that
feeds back on itself is refused by name.

Before time 0 a symbol has its initial assignment's or assignment rule's value at that time, else
its initial value, and rates are zero (SBML Level 3 Version 2, section 3.4.6).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cascades.compiler.closing import Closing, close
from cascades.compiler.draft import Draft, free_name
from cascades.expression import (
    TIME,
    ZERO,
    Expr,
    call,
    children,
    free_symbols,
    make,
    piecewise,
    postorder,
    substitute,
    symbol,
)

_PREFIX = "delay #"
_RATE = "rateOf("


@dataclass(frozen=True)
class _Delay:
    name: str
    argument: Expr
    lag: Expr


def unfold_delays(parts: Draft) -> None:
    """Replace every delay by a symbol with a definition."""
    if not any(node.op == "delay" for node in postorder(*parts.formulas())):
        return
    found: dict[Expr, Expr] = {}
    delays: list[_Delay] = []
    parts.rewrite(lambda formula: _named(formula, found, delays))
    waiting = list(delays)
    while waiting:
        ready = [one for one in waiting if not _uses_undefined(one, parts)]
        if not ready:
            for one in waiting:
                parts.unsupported.append(
                    f"delay of {one.argument}: what is delayed depends on the delay itself"
                )
            return
        for one in ready:
            waiting.remove(one)
            parts.definitions[one.name] = _unfolded(one, parts)


def _named(formula: Expr, memo: dict[Expr, Expr], delays: list[_Delay]) -> Expr:
    for node in postorder(formula):
        if node in memo:
            continue
        if node.op == "delay":
            name = f"{_PREFIX}{len(delays)}"
            delays.append(_Delay(name, *(memo[child] for child in node.args)))
            memo[node] = symbol(name)
        elif children(node):
            memo[node] = make(node.op, [memo[child] for child in node.args])
        else:
            memo[node] = node
    return memo[formula]


def _uses_undefined(one: _Delay, parts: Draft) -> bool:
    """Whether the delayed formula depends, through any rate, on a delay that has no definition."""
    closing = close(parts.definitions, parts.source)
    names = free_symbols(*closing.all([one.argument, one.lag]))
    names |= free_symbols(*_followed(closing(one.argument), parts, closing).values())
    return any(name.startswith(_PREFIX) for name in names)


def _followed(formula: Expr, parts: Draft, closing: Closing) -> dict[str, Expr]:
    """The states that the formula depends on, directly or through rates, with their closed rates."""
    found: dict[str, Expr] = {}
    waiting = sorted(free_symbols(formula) & parts.rates.keys())
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = closing(parts.rates[name])
            waiting += sorted(free_symbols(found[name]) & parts.rates.keys())
    return found


def _unfolded(one: _Delay, parts: Draft) -> Expr:
    closing = close(parts.definitions, parts.source)
    formula, lag = closing.all([one.argument, one.lag])
    if lag is ZERO:
        return one.argument
    before = _shifted(_history(parts)(one.argument), lag, {})
    followed = _followed(formula, parts, closing)
    jumping = {a.variable for event in parts.events for a in event.assignments} & followed.keys()
    if jumping or followed.keys() & parts.algebraic:
        names = ", ".join(sorted(jumping or followed.keys() & parts.algebraic))
        parts.unsupported.append(f"delay of {one.argument}: {names} jumps or follows from an algebraic rule")
        return ZERO
    start = _history(parts, at_zero=True)
    straight = {
        name: start(symbol(name)) + rate * TIME
        for name, rate in followed.items()
        if not free_symbols(rate) - parts.constants
    }
    formula = substitute([formula], straight)[0]
    remaining = {name: followed[name] for name in _followed(formula, parts, closing)}
    if remaining and free_symbols(lag) - parts.constants:
        parts.unsupported.append(f"delay of {one.argument}: the lag {lag} is not constant")
        return ZERO
    copies = _copies(remaining, lag, parts, start)
    after = _shifted(formula, lag, copies)
    if after is before:
        return after
    return piecewise((after, call("ge", TIME, lag)), otherwise=before)


def _shifted(formula: Expr, lag: Expr, copies: Mapping[str, Expr]) -> Expr:
    return substitute([formula], {**copies, "time": TIME - lag})[0]


def _history(parts: Draft, at_zero: bool = False) -> Closing:
    """Formulas to their values before time 0 (over time), or at time 0."""
    values = parts.definitions | parts.starts
    for name in list(values):
        if name.startswith(_RATE) and not at_zero:
            values[name] = ZERO
        elif name in parts.constants and values[name].is_number:
            del values[name]
    if at_zero:
        values["time"] = ZERO
    return close(values, parts.source)


def _copies(followed: Mapping[str, Expr], lag: Expr, parts: Draft, start: Closing) -> dict[str, Expr]:
    """A state for each of these that follows it after the lag."""
    copies = {name: symbol(_copy_name(name, lag, parts)) for name in followed}
    for name, rate in followed.items():
        copy = copies[name].name
        if copy not in parts.rates:
            parts.starts[copy] = start(symbol(name))
            parts.rates[copy] = piecewise(
                (_shifted(rate, lag, copies), call("ge", TIME, lag)), otherwise=ZERO
            )
            parts.delayed[copy] = name
    return copies


def _copy_name(name: str, lag: Expr, parts: Draft) -> str:
    """One name per state and lag."""
    key = (name, lag)
    if key not in parts.copy_names:
        same = sum(known == name for known, _ in parts.copy_names)
        parts.copy_names[key] = free_name(f"{name}_delayed" + (str(same + 1) if same else ""), parts.model)
    return parts.copy_names[key]
