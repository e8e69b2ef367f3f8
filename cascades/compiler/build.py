"""From LLVM text to functions in memory, with the machine code kept on disk.

The cache is a folder of files `<key>.o`: a checksum line and an object file.  The key covers what
goes in (formulas, lanes, processor, LLVM's version, the sources of the compiler itself), files are
written under a temporary name and renamed, and a file whose checksum is wrong is ignored and
replaced: concurrent writers and a full disk can cost time, never a wrong function.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cascades.errors import CompileError
from cascades.kernels.sources import source_hash

_PACKAGE = Path(__file__).parents[1]
# What the emitted code depends on besides its key: the compiler, formulas, and functions in LLVM.
_MADE_BY = tuple(str(_PACKAGE / part) for part in ("compiler", "expression", "kernels/elementary.py"))
# Of LLVM's code generator: 2 gains nothing over 1, 0 is ready in a fifth of the time and runs at 0.6-0.9 of
# the speed.
OPTIMISATION, QUICK = 1, 0
_LOCK = threading.RLock()


@dataclass(frozen=True)
class Library:
    """Compiled functions by name, as addresses.  Holds the memory that they live in."""

    addresses: Mapping[str, int]
    is_quick: bool
    _memory: Any

    def __getitem__(self, name: str) -> int:
        return self.addresses[name]


def cache_folder() -> Path:
    """Where compiled code is kept: `CASCADES_CACHE`, or the user's cache folder."""
    chosen = os.environ.get("CASCADES_CACHE")
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = str(Path.home() / "Library" / "Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "cascades"


def build(key: str, names: Sequence[str], write_text: Callable[[], str], *, quick: bool = False) -> Library:
    """The functions `names` of the module that `write_text` writes.

    Parameters
    ----------
    key : str
        Identifies the text; if code for it is cached, `write_text` is not called.
    names : sequence of str
        Functions whose addresses are wanted.
    quick : bool
        Whether to save the time that optimising takes.

    Raises
    ------
    CompileError
        If LLVM refuses the text.
    """
    optimisation = QUICK if quick else OPTIMISATION
    with _LOCK:  # LLVM's context is shared by the threads of a process
        found = _cached(key, names, optimisation)
        if found is not None:
            return found
        code = _compile(write_text(), optimisation)
        _write(_digest(key, optimisation), code)
        return _load(code, names, optimisation)


def optimised(key: str, names: Sequence[str]) -> Library | None:
    """The functions if optimised code for them is in the cache."""
    with _LOCK:
        return _cached(key, names, OPTIMISATION)


def _cached(key: str, names: Sequence[str], optimisation: int) -> Library | None:
    code = _read(_digest(key, optimisation))
    if code is None:
        return None
    try:
        return _load(code, names, optimisation)
    except (RuntimeError, CompileError):
        return None  # an object of another LLVM: made again


def _digest(key: str, optimisation: int) -> str:
    import llvmlite

    parts = (key, *_target(), str(optimisation), llvmlite.__version__, source_hash(*_MADE_BY))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@cache
def _target() -> tuple[str, str, str]:
    """Triple, processor and its features; 512-bit vectors are used where they exist."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features()
    features = ",".join(
        f"{'+' if on else '-'}{name}" for name, on in sorted(features.items()) if name != "prefer-256-bit"
    )
    return llvm.get_process_triple(), llvm.get_host_cpu_name(), features


def _machine(optimisation: int) -> Any:
    import llvmlite.binding as llvm

    triple, cpu, features = _target()
    return llvm.Target.from_triple(triple).create_target_machine(
        cpu=cpu, features=features, opt=optimisation, reloc="pic", codemodel="jitdefault", jit=True
    )


def _compile(text: str, optimisation: int) -> bytes:
    import llvmlite.binding as llvm

    try:
        module = llvm.parse_assembly(text)
        module.verify()
        return bytes(_machine(optimisation).emit_object(module))
    except RuntimeError as failure:
        raise CompileError(f"LLVM refused the emitted code: {failure}") from failure


def _load(code: bytes, names: Sequence[str], optimisation: int) -> Library:
    import llvmlite.binding as llvm

    memory = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _machine(0))
    memory.add_object_file(llvm.ObjectFileRef.from_data(code))
    memory.finalize_object()
    addresses = {name: memory.get_function_address(name) for name in names}
    missing = [name for name, address in addresses.items() if not address]
    if missing:
        raise CompileError(f"compiled code lacks {', '.join(missing)}")
    return Library(addresses, optimisation == QUICK, memory)


def _read(digest: str) -> bytes | None:
    try:
        content = (cache_folder() / f"{digest}.o").read_bytes()
    except OSError:
        return None
    checksum, _, code = content.partition(b"\n")
    return code if checksum == hashlib.sha256(code).hexdigest().encode() else None


def _write(digest: str, code: bytes) -> None:
    """Keep the code; a cache that cannot be written is no error."""
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder, suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(code).hexdigest().encode() + b"\n" + code)
            os.replace(temporary, folder / f"{digest}.o")
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError:
        return
