"""AUTO-07p's own compute time for a branch, where it is installed (Debian: auto-07p, gfortran)."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cascades.continuation import SymbolicProblem
from cascades.expression import Expr, children, make, postorder, symbol, to_text

FOLDER = Path("/usr/lib/auto-07p/lib")
TOTAL = re.compile(r"Total Time\s+([0-9.E+-]+)")


def auto_seconds(
    problem: SymbolicProblem, parameter: str, bounds: Sequence[float], x: np.ndarray, repeats: int
) -> tuple[float, int] | None:
    """The shortest time that AUTO reports for following a branch from x at the lower bound to the upper
    one (it is not CPU time: other work on the machine adds to it), and the folds on it; None where AUTO
    or gfortran is missing."""
    compiler = shutil.which("gfortran")
    if compiler is None or not FOLDER.is_dir():
        return None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "branch.f90").write_text(_equations(problem, parameter, bounds[0], x))
        (folder / "fort.2").write_text(_constants(x.size, bounds))
        objects = sorted(str(path) for path in FOLDER.glob("*.o"))
        command = [compiler, "-O2", "-std=legacy", "-fopenmp", "branch.f90", *objects, "-o", "branch"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        times = []
        for _ in range(repeats):
            done = subprocess.run(
                ["./branch"],
                cwd=folder,
                check=True,
                capture_output=True,
                text=True,
                env={"OMP_NUM_THREADS": "1"},
            )
            times.append(float(TOTAL.findall(done.stdout)[-1]))
        rows = [line.split() for line in (folder / "fort.7").read_text().splitlines()]
        folds = sum(1 for row in rows if row[0] == "1" and row[2] == "2")
    return min(times), folds


def _equations(problem: SymbolicProblem, parameter: str, start: float, x: np.ndarray) -> str:
    """The equations as AUTO wants them, every shared part computed once."""
    place = {name: f"u({i + 1})" for i, name in enumerate(problem.state_names)}
    values = dict(zip(problem.parameter_names, problem.values().tolist(), strict=True))
    place |= {name: _number(value) for name, value in values.items()}
    place[parameter] = "par(1)"
    parts, names = _parts(problem.formulas, place)
    rates = [f"f({i + 1}) = {names[formula]}" for i, formula in enumerate(problem.formulas)]
    initial = [f"u({i + 1}) = {_number(float(value))}" for i, value in enumerate(x)]
    empty = "\n".join(
        f"subroutine {name}({arguments})\nend subroutine"
        for name, arguments in (
            ("bcnd", "ndim,par,icp,nbc,u0,u1,fb,ijac,dbc"),
            ("icnd", "ndim,par,icp,nint,u,uold,udot,upold,fi,ijac,dint"),
            ("fopt", "ndim,u,icp,par,ijac,fs,dfdu,dfdp"),
            ("pvls", "ndim,u,par"),
        )
    )
    declared = "".join(f"double precision t{i}\n" for i in range(len(parts)))
    return (
        "subroutine func(ndim,u,icp,par,ijac,f,dfdu,dfdp)\nimplicit none\n"
        "integer ndim, icp(*), ijac\n"
        "double precision u(ndim), par(*), f(ndim), dfdu(ndim,ndim), dfdp(ndim,*)\n"
        + declared
        + "\n".join([*parts, *rates])
        + "\nend subroutine\nsubroutine stpnt(ndim,u,par,t)\nimplicit none\n"
        "integer ndim\ndouble precision u(ndim), par(*), t\n"
        + "\n".join([f"par(1) = {_number(start)}", *initial])
        + f"\nend subroutine\n{empty}\n"
    )


def _parts(formulas: Sequence[Expr], place: dict[str, str]) -> tuple[list[str], dict[Expr, str]]:
    names: dict[Expr, str] = {}
    lines: list[str] = []
    for node in postorder(*formulas):
        if node.is_symbol:
            names[node] = place[node.name]
        elif node.is_number:
            names[node] = _number(float(node.value))
        else:
            inside = [symbol(f"x{i}x") for i in range(len(node.args))]
            text = to_text(make(node.op, inside)).replace("^", "**")
            for i, child in enumerate(children(node)):
                text = text.replace(f"x{i}x", names[child])
            names[node] = f"t{len(lines)}"
            lines.append(f"t{len(lines)} = {text}")
    return lines, names


def _number(value: float) -> str:
    return f"({value:.17e})".replace("e", "d")


def _constants(n: int, bounds: Sequence[float]) -> str:
    low, high = bounds
    return f"""{n} 1 0 1            NDIM,IPS,IRS,ILP
1 1                NICP,ICP
20 4 3 1 1 0 0 0   NTST,NCOL,IAD,ISP,ISW,IPLT,NBC,NINT
5000 {low!r} {high!r} -1e9 1e9  NMX,RL0,RL1,A0,A1
5000 0 2 8 7 3 0   NPR,MXBF,IID,ITMX,ITNW,NWTN,JAC
1e-8 1e-8 1e-7     EPSL,EPSU,EPSS
1e-4 1e-8 1.0 1    DS,DSMIN,DSMAX,IADS
0                  NTHL
0                  NTHU
0                  NUZR
"""
