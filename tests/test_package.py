"""The package as its users get it: names, import time, dependencies, the wheel."""

import ast
import os
import re
import statistics
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

import cascades

ROOT = Path(__file__).parent.parent
LONGEST_IMPORT = 0.5  # s

STABLE_NAMES = [
    "load_model", "compose", "compile_model", "simulate", "steady_state", "equilibria", "continuation",
    "fold_curve", "pulse_train", "theta_burst", "pairing", "lfs", "hfs", "derive_rule", "Network",
    "run_network", "cite", "CalciumRule", "RuleLadder", "Trajectory", "Branch", "CascadesError",
    "UnknownName", "SolverFailure",
]  # fmt: skip

# Distributions whose import name differs.
IMPORT_NAMES = {"python-libsbml": "libsbml", "spine-cascades": "cascades", "PyYAML": "yaml"}
# What a declared distribution brings along, in the version that fits it.
BROUGHT_ALONG = {"roadrunner": "tellurium", "markupsafe": "jinja2", "yaml": "petab"}


@pytest.mark.parametrize("name", STABLE_NAMES)
def test_a_stable_name_can_be_imported(name):
    assert getattr(cascades, name).__name__ == name


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = cascades.no_such_name


def test_import_is_quick():
    measure = "import time; t = time.perf_counter(); import cascades; print(time.perf_counter() - t)"
    seconds = [float(_python(sys.executable, "-c", measure)) for _ in range(5)]
    assert statistics.median(seconds) < LONGEST_IMPORT


def test_import_loads_nothing_heavy():
    loaded = _python(sys.executable, "-c", "import sys, cascades; print(*sys.modules)").split()
    heavy = {
        "numpy",
        "scipy",
        "sympy",
        "numba",
        "llvmlite",
        "matplotlib",
        "roadrunner",
        "tellurium",
        "libsbml",
        "pandas",
    }
    assert not heavy & set(loaded)


def test_what_is_imported_is_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    listed = [
        *project["dependencies"],
        *(d for name, group in extras.items() if name != "test" for d in group),
    ]
    names = [re.match(r"[\w-]+", requirement)[0] for requirement in listed]
    declared = {IMPORT_NAMES.get(name, name) for name in names} | set(BROUGHT_ALONG)
    allowed = declared | set(sys.stdlib_module_names) | {"cascades"}
    undeclared = {
        path.relative_to(ROOT).as_posix(): names
        for path in (ROOT / "cascades").rglob("*.py")
        if (names := _imported(path) - allowed)
    }
    assert not undeclared


def test_versions_agree():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert cascades.__version__ == project["version"]
    assert f"version: {project['version']}\n" in (ROOT / "CITATION.cff").read_text()


def test_the_wheel_works_outside_the_checkout(tmp_path):
    build = [
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        str(tmp_path),
        str(ROOT),
    ]
    _python(sys.executable, *build)
    (wheel,) = tmp_path.glob("spine_cascades-*.whl")
    _python(sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "clean"))
    clean = tmp_path / "clean" / "bin" / "python"
    site = Path(_python(clean, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    _python(sys.executable, "-m", "zipfile", "-e", str(wheel), str(site))
    # The dependencies are borrowed: a plain path in a .pth file does not run the .pth files found there,
    # so an editable install of the checkout stays out of sight.
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    assert sorted(path.name for path in site.iterdir() if "cascades" in path.name) == [
        "cascades",
        f"spine_cascades-{cascades.__version__}.dist-info",
    ]
    use = (
        "import cascades, sys\n"
        "compiled = cascades.compile_model(cascades.load_model('camkii_graupner_2007'))\n"
        "trajectory = cascades.simulate(compiled, [0.0, 1.0])\n"
        "print(cascades.__file__, trajectory.is_complete)"
    )
    where, complete = _python(clean, "-c", use, cwd=tmp_path).split()
    assert Path(where) == site / "cascades" / "__init__.py"
    assert complete == "True"
    listed = _python(clean, "-c", "from cascades.cli import main; main()", "--help", cwd=tmp_path)
    assert "warm-up" in listed


def _imported(path: Path) -> set[str]:
    """The top-level packages that a file imports at run time."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module.partition(".")[0])
    return found


def _python(executable: str | Path, *arguments: str, cwd: Path = ROOT) -> str:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [str(executable), *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_functions_win_over_the_files_they_live_in():
    from cascades.continuation import Branch
    from cascades.simulate import simulate

    assert cascades.simulate is simulate
    assert callable(cascades.continuation)
    assert cascades.Branch is Branch
