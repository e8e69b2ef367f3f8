"""`python -m analysis NAME [--quick] [...]`: run a study; without a name, list them."""

from __future__ import annotations

import importlib
import pkgutil
import sys

import analysis
from cascades.errors import CascadesError, UnknownName


def studies() -> dict[str, str]:
    """Every study and the first line of what it says about itself."""
    found = {}
    for module in pkgutil.iter_modules(analysis.__path__):
        if not module.name.startswith("_"):
            found[module.name] = _first_line(module.name)
    return dict(sorted(found.items()))


def _first_line(name: str) -> str:
    """Read, not imported: a study may need packages that are not there."""
    import ast
    from pathlib import Path

    folder = Path(analysis.__path__[0])
    path = folder / f"{name}.py"
    source = (path if path.exists() else folder / name / "__init__.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]


def main(arguments: list[str]) -> int:
    known = studies()
    if not arguments or arguments[0] in ("-h", "--help"):
        print("usage: python -m analysis NAME [--quick] [...]\n")
        width = max(map(len, known), default=0)
        for name, what in known.items():
            print(f"  {name:<{width}}  {what}")
        return 0
    name, *rest = arguments
    try:
        if name not in known:
            raise UnknownName("study", name, known)
        return int(importlib.import_module(f"analysis.{name}").main(rest) or 0)
    except CascadesError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
