"""`delay(x, tau)` without a history, where x does not depend on what it delays.

A second copy of the equations that x follows, started `tau` later, is x delayed: exact in any
solver; where an event sets x, a further event sets the copy.  Where x has a closed form in time, time
itself is shifted, and `tau` may vary.  A delay that feeds back on itself is refused by name.

Before time 0 a symbol has its initial assignment's or assignment rule's value at that time, else
its initial value, and rates are zero (SBML Level 3 Version 2, section 3.4.6).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice

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
    number,
    piecewise,
    postorder,
    substitute,
    symbol,
)
from cascades.model import Event, EventAssignment

_PREFIX = "delay #"
_RATE = "rateOf("
_NEVER = number(-1.0)  # a time before the start
_SHOWN = 20  # parts of a formula that a message shows


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
                    f"delay of {_shown(one.argument)}: what is delayed depends on the delay itself"
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
    followed = _followed(formula, parts, closing)
    if solved := followed.keys() & parts.algebraic:
        what = f"{', '.join(sorted(solved))} follows from an algebraic rule"
        parts.unsupported.append(f"delay of {_shown(one.argument)}: {what}")
        return ZERO
    jumping = {state for event in parts.events for state in _jumping(event, parts)} & followed.keys()
    if not free_symbols(lag) - parts.constants:
        return _after_constant_lag(one, formula, lag, followed, parts)
    straight = {name: rate for name, rate in followed.items() if not free_symbols(rate) - parts.constants}
    if len(straight) < len(followed) or jumping:
        parts.unsupported.append(f"delay of {_shown(one.argument)}: the lag {_shown(lag)} is not constant")
        return ZERO
    parts.delayed.update({name: name for name in straight})
    passed = call("min", lag, TIME)
    back = {name: symbol(name) - rate * passed for name, rate in straight.items()}
    return _shifted(formula, lag, back)


def _after_constant_lag(
    one: _Delay, formula: Expr, lag: Expr, followed: Mapping[str, Expr], parts: Draft
) -> Expr:
    """The formula over copies, which wait at their start until the lag is over; before, the history
    where it is another."""
    after = _shifted(formula, lag, _copies(followed, lag, parts))
    history = _history(parts)
    starts = history.all([symbol(name) for name in followed])
    constants = history.all([symbol(name) for name in free_symbols(formula) & parts.constants])
    uses_rates = any(name.startswith(_RATE) for name in free_symbols(one.argument))
    if not uses_rates and "time" not in free_symbols(*starts, *constants):
        return after
    before = _shifted(history(one.argument), lag, {})
    return piecewise((after, call("ge", TIME, lag)), otherwise=before)


def _shown(formula: Expr) -> str:
    """The formula, unless it is long."""
    few = sum(1 for _ in islice(postorder(formula), _SHOWN)) < _SHOWN
    return str(formula) if few else "a long formula"


def _shifted(formula: Expr, lag: Expr, copies: Mapping[str, Expr]) -> Expr:
    return substitute([formula], {**copies, "time": TIME - lag})[0]


def _history(parts: Draft) -> Closing:
    """Formulas to their values before time 0, over time."""
    values = parts.definitions | parts.starts
    for name in list(values):
        if name.startswith(_RATE):
            values[name] = ZERO
        elif name in parts.constants and values[name].is_number:
            del values[name]
    return close(values, parts.source)


def _copies(followed: Mapping[str, Expr], lag: Expr, parts: Draft) -> dict[str, Expr]:
    """A state for each of these that follows it after the lag."""
    copies = {name: symbol(_copy_name(name, lag, parts)) for name in followed}
    begun = call("ge", TIME, lag)
    for name, rate in followed.items():
        copy = copies[name].name
        if copy not in parts.rates:
            parts.starts[copy] = symbol(name)
            parts.rates[copy] = piecewise((_shifted(rate, lag, copies), begun), otherwise=ZERO)
            parts.delayed[copy] = name
            _copy_jumps(name, copy, lag, parts)
    return copies


def _jumping(event: Event, parts: Draft) -> set[str]:
    """The states that an event sets."""
    return {parts.amounts.get(one.variable, one.variable) for one in event.assignments}


def _copy_jumps(name: str, copy: str, lag: Expr, parts: Draft) -> None:
    """The copy jumps when its original did, later by the lag, to what that had become."""
    for event in list(parts.events):
        if name in _jumping(event, parts):
            parts.events.append(
                Event(
                    id=free_name(f"{event.id}_{copy}", parts.model),
                    trigger=_happened(event, parts),
                    assignments=(EventAssignment(copy, symbol(name)),),
                    delay=lag,
                )
            )


def _happened(event: Event, parts: Draft) -> Expr:
    """True for the moment in which the event's assignments are made, whether or not that is when it fires.

    The event notes when it fired, which no other firing shares, and another event sees to the note.
    """
    note, seen = (free_name(f"{event.id}_{what}", parts.model) for what in ("note", "seen"))
    happened = call("ne", symbol(note), symbol(seen))
    if note not in parts.rates:
        for name in (note, seen):
            parts.rates[name], parts.starts[name] = ZERO, _NEVER
        noted = replace(event, assignments=(*event.assignments, EventAssignment(note, TIME)))
        parts.events[parts.events.index(event)] = noted
        see = (EventAssignment(seen, symbol(note)),)
        parts.events.append(Event(id=seen, trigger=happened, assignments=see, priority=number(math.inf)))
    return happened


def _copy_name(name: str, lag: Expr, parts: Draft) -> str:
    """One name per state and lag."""
    key = (name, lag)
    if key not in parts.copy_names:
        same = sum(known == name for known, _ in parts.copy_names)
        parts.copy_names[key] = free_name(f"{name}_delayed" + (str(same + 1) if same else ""), parts.model)
    return parts.copy_names[key]
