"""Equations integrated slowly and with care, to check the meaning of a model without our engine.

scipy's LSODA in short pieces; every relation of a trigger or a rate is watched at many points of each
piece, and where one changes, the time is bisected to the last bit.  Events follow SBML Level 3
Version 2, section 4.11.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.integrate import LSODA

from cascades.compiler.equations import Equations, EventEquation
from cascades.expression import RELATIONS, Expr, postorder

RTOL, ATOL = 1e-9, 1e-12
PIECES, WATCHED = 200, 5  # pieces of a run; points of a piece at which relations are looked at


def reference_run(
    equations: Equations, times: Sequence[float], observe: Sequence[str], max_events: int = 500_000
) -> np.ndarray:
    """The quantities `observe` (states, parameters or observables) at the times, shape (times, names)."""
    return _Run(equations, max_events).run(times, observe)


@dataclass(eq=False)
class _Pending:
    time: float
    index: int
    held: list[float] | None


class _Run:
    def __init__(self, equations: Equations, max_events: int):
        self.equations, self.max_events = equations, max_events
        self.p = list(equations.default_values)
        self.algebraic = [i for i, flag in enumerate(equations.is_algebraic) if flag]
        self.differential = [i for i, flag in enumerate(equations.is_algebraic) if not flag]
        names = (equations.state_names, equations.parameter_names)
        self.rates = compile_formulas(equations.rates, *names)
        self.initial = compile_formulas(equations.initial, *names)
        self.triggers = compile_formulas([e.trigger for e in equations.events], *names)
        watched = [*equations.rates, *(e.trigger for e in equations.events)]
        relations = [node for node in postorder(*watched) if node.op in RELATIONS]
        self.relations = compile_formulas(relations, *names)
        self.delays = [_optional(e.delay, names) for e in equations.events]
        self.priorities = [_optional(e.priority, names) for e in equations.events]
        self.values = [compile_formulas([f for _, f in e.assignments], *names) for e in equations.events]
        row = {name: i for i, name in enumerate(equations.state_names)}
        self.targets = [[row[name] for name, _ in e.assignments] for e in equations.events]
        self.pending: list[_Pending] = []
        self.executed = 0
        self.random = np.random.default_rng(7)  # the order of ties is random by the specification

    def run(self, times: Sequence[float], observe: Sequence[str]) -> np.ndarray:
        times = list(times)
        y = np.array(self.initial(0.0, [0.0] * len(self.equations.state_names), self.p), dtype=float)
        y = self.consistent(0.0, y)
        self.before = [event.initial_value for event in self.equations.events]
        y = self.happen(0.0, y)
        rows: list[np.ndarray] = []
        t, step = 0.0, max(times[-1], 1e-300) / PIECES
        for time in times:
            while t < time:
                t, y = self.advance(t, y, min(time, t + step))
            rows.append(y.copy())
        report = self.reporter(observe)
        return np.array([report(t, y, self.p) for t, y in zip(times, rows, strict=True)], dtype=float)

    def reporter(self, observe: Sequence[str]) -> Callable[..., list[float]]:
        from cascades.expression import symbol

        formulas = [self.equations.observables.get(name, symbol(name)) for name in observe]
        return compile_formulas(formulas, self.equations.state_names, self.equations.parameter_names)

    # --- between events -------------------------------------------------------------------------

    def advance(self, t: float, y: np.ndarray, end: float) -> tuple[float, np.ndarray]:
        """To `end`, or to the first time at which a relation changes or a delayed event is due."""
        due = min((one.time for one in self.pending), default=math.inf)
        stop = min(end, due)
        if stop > t:
            t, y = self.integrate(t, y, stop)
        return t, self.happen(t, y)

    def integrate(self, t: float, y: np.ndarray, end: float) -> tuple[float, np.ndarray]:
        """One piece; ends early, at the first time at which a relation differs."""
        at_start = self.relations(t, y, self.p)
        if end - t < 1e-13 * max(1.0, abs(t)):
            return end, self.consistent(end, y)
        if not self.differential:
            return self.search(t, end, lambda s: self.consistent(s, y), at_start)
        if not np.isfinite(self.slopes(t, y)).all():
            rest = y.copy()
            rest[self.differential] = np.where(np.isfinite(self.slopes(t, y)), y[self.differential], np.nan)
            return end, rest
        z = y[self.differential].copy()
        solver = LSODA(lambda s, z: self.slopes(s, self.whole(z, s, y)), t, z, end, rtol=RTOL, atol=ATOL)
        while solver.status == "running":
            message = solver.step()
            if solver.status == "failed":
                raise RuntimeError(f"stopped at t = {solver.t}: {message}")
            dense = solver.dense_output()
            at = lambda s, dense=dense: self.consistent(s, self.whole(dense(s), s, y))  # noqa: E731
            found, state = self.search(solver.t_old, solver.t, at, at_start)
            if found < solver.t or self.relations(found, state, self.p) != at_start:
                return found, state
        return end, self.whole(solver.y, end, y)

    def search(
        self, t: float, end: float, at: Callable[[float], np.ndarray], at_start: list[float]
    ) -> tuple[float, np.ndarray]:
        """The first time in (t, end] at which a relation differs from `at_start`, or the end.

        Right after the start a relation may settle (a < b where a = b at the start): then the search
        starts from the settled values.
        """
        low = t
        for k in range(1, WATCHED + 1):
            high = t + (end - t) * k / WATCHED
            if self.relations(high, at(high), self.p) != at_start:
                while True:
                    middle = 0.5 * (low + high)
                    if not low < middle < high:
                        break
                    if self.relations(middle, at(middle), self.p) != at_start:
                        high = middle
                    else:
                        low = middle
                return high, at(high)
            low = high
        return end, at(end)

    def slopes(self, t: float, y: np.ndarray) -> np.ndarray:
        return np.array(self.rates(t, y, self.p), dtype=float)[self.differential]

    def whole(self, z: np.ndarray, t: float, like: np.ndarray) -> np.ndarray:
        y = like.copy()
        y[self.differential] = z
        return self.consistent(t, y)

    def consistent(self, t: float, y: np.ndarray) -> np.ndarray:
        """The algebraic states solved by Newton's method with a numerical Jacobian."""
        rows = self.algebraic
        if not rows:
            return y
        y = np.array(y, dtype=float)
        for _ in range(100):
            residual = np.array(self.rates(t, y, self.p), dtype=float)[rows]
            jacobian = np.empty((len(rows), len(rows)))
            for k, column in enumerate(rows):
                moved, step = y.copy(), 1e-7 * max(1.0, abs(y[column]))
                moved[column] += step
                jacobian[:, k] = (np.array(self.rates(t, moved, self.p), dtype=float)[rows] - residual) / step
            change = np.linalg.solve(jacobian, residual)
            y[rows] -= change
            if np.all(np.abs(change) <= 1e-13 * (1.0 + np.abs(y[rows]))):
                break
        return y

    # --- events ---------------------------------------------------------------------------------

    def happen(self, t: float, y: np.ndarray) -> np.ndarray:
        """Everything that happens at one time, in order of priority."""
        y = self.consistent(t, y)
        self.look(t, y)
        while True:
            due = [one for one in self.pending if one.time <= t]
            if not due:
                return y
            ranks = [self.rank(one, t, y) for one in due]
            best = [one for one, rank in zip(due, ranks, strict=True) if rank == max(ranks)]
            chosen = best[self.random.integers(len(best))]
            self.pending.remove(chosen)
            self.executed += 1
            if self.executed > self.max_events:
                raise RuntimeError(f"more than {self.max_events} events")
            event = chosen.index
            held = chosen.held if chosen.held is not None else self.values[event](t, y, self.p)
            y = y.copy()
            y[self.targets[event]] = held
            y = self.consistent(t, y)
            self.look(t, y)

    def rank(self, one: _Pending, t: float, y: np.ndarray) -> float:
        priority = self.priorities[one.index]
        return -math.inf if priority is None else priority(t, y, self.p)[0]

    def look(self, t: float, y: np.ndarray) -> None:
        """Queue what has become true, drop what has become false and does not persist."""
        now = [bool(v) for v in self.triggers(t, y, self.p)]
        for i, event in enumerate(self.equations.events):
            if now[i] and not self.before[i]:
                self.queue(i, event, t, y)
            elif not now[i] and self.before[i] and not event.is_persistent:
                self.pending = [one for one in self.pending if one.index != i]
        self.before = now

    def queue(self, i: int, event: EventEquation, t: float, y: np.ndarray) -> None:
        delay = self.delays[i]
        time = t if delay is None else t + delay(t, y, self.p)[0]
        held = self.values[i](t, y, self.p) if event.uses_trigger_time_values else None
        self.pending.append(_Pending(time, i, held))


# --- formulas to Python functions ---------------------------------------------------------------


def _optional(formula: Expr | None, names: tuple[Sequence[str], Sequence[str]]) -> Callable | None:
    return None if formula is None else compile_formulas([formula], *names)


def compile_formulas(
    formulas: Sequence[Expr], states: Sequence[str], parameters: Sequence[str]
) -> Callable[..., list[float]]:
    """A function (t, y, p) -> list of the formulas' values, with the arithmetic of IEEE 754."""
    place = {name: f"y[{i}]" for i, name in enumerate(states)}
    place |= {name: f"p[{i}]" for i, name in enumerate(parameters)} | {"time": "t"}
    text: dict[Expr, str] = {}
    lines = []
    for index, node in enumerate(postorder(*formulas)):
        if node.is_symbol:
            text[node] = place[node.name]
        elif node.is_number:
            text[node] = f"({node.value!r})".replace("nan", "NAN").replace("inf", "INF")
        else:
            text[node] = f"x{index}"
            lines.append(f"    x{index} = {_python(node, [text[a] for a in node.args])}")
    body = "\n".join(["def f(t, y, p):", *lines, f"    return [{', '.join(text[f] for f in formulas)}]"])
    space: dict = dict(_SPACE)
    exec(body, space)
    return space["f"]


def _python(node: Expr, args: list[str]) -> str:
    signs = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
    if node.op in ("add", "mul"):  # (a long chain of signs would nest too deep for Python's parser)
        return f"{'sum' if node.op == 'add' else 'prod'}([{', '.join(args)}])"
    if node.op in signs:
        return f"1.0 if {f' {signs[node.op]} '.join(args)} else 0.0"
    if node.op in ("and", "or"):
        return "1.0 if " + f" {node.op} ".join(f"({a} != 0.0)" for a in args) + " else 0.0"
    if node.op == "xor":
        return f"float(sum(x != 0.0 for x in ({', '.join(args)},)) % 2)"
    if node.op == "not":
        return f"0.0 if {args[0]} else 1.0"
    if node.op == "piecewise":
        result = args[-1]
        for value, condition in reversed(list(zip(args[0:-1:2], args[1:-1:2], strict=True))):
            result = f"({value} if {condition} else {result})"
        return result
    return f"F[{node.op!r}]({', '.join(args)})"


def _ieee(f: Callable[..., float]) -> Callable[..., float]:
    def apply(*args: float) -> float:
        with np.errstate(all="ignore"):
            return float(f(*map(np.float64, args)))

    return apply


_SPACE = {
    "NAN": math.nan,
    "INF": math.inf,
    "prod": math.prod,
    "F": {
        name: _ieee(f)
        for name, f in {
            "pow": np.power, "exp": np.exp, "ln": np.log, "sqrt": np.sqrt, "abs": np.abs,
            "floor": np.floor, "ceil": np.ceil, "factorial": lambda x: math.gamma(x + 1.0),
            "sin": np.sin, "cos": np.cos, "tan": np.tan,
            "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan,
            "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh,
            "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh,
            "min": min, "max": max,
            "quotient": lambda a, b: np.trunc(a / b), "rem": np.fmod,
        }.items()
    },
}  # fmt: skip
