"""The program that builds a NEST module from the exported synapse, with whatever NEST its interpreter has."""

from __future__ import annotations

BUILD = '''"""Build the NEST module: python build_nest.py INSTALL_FOLDER.

Then add INSTALL_FOLDER to LD_LIBRARY_PATH and nest.Install("calciummodule").  Needs a C++ compiler, cmake
and the headers of GSL and Boost.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import nest
from pynestml.frontend.pynestml_frontend import generate_nest_target

here = Path(__file__).resolve().parent


def nest_folder(install):
    """A folder whose bin/nest-config is right.

    A wheel of NEST carries the paths of the machine that built it; they are replaced in a copy.
    """
    own = Path(sys.prefix) / "bin" / "nest-config"
    if not own.exists():
        own = Path(shutil.which("nest-config"))

    def ask(what):
        return subprocess.run([own, what], check=True, capture_output=True, text=True).stdout.strip()

    prefix = ask("--prefix")
    package = Path(nest.__file__).resolve().parent
    headers = package / "include" / "nest"
    if Path(prefix).is_dir() or not headers.is_dir():
        return str(own.parent.parent)
    flags = ask("--cflags")
    if any(b"ModelManager10copy_modelERKSs" in library.read_bytes() for library in package.glob("*.so")):
        flags += " -D_GLIBCXX_USE_CXX11_ABI=0"  # a function of the kernel takes strings of the old kind
    compiler = ask("--compiler")
    includes = [part for part in ask("--includes").split() if prefix not in part]
    libraries = [part for part in ask("--libs").split() if part.startswith("-l") or Path(part).exists()]
    answers = {
        "--prefix": str(package.parent),
        "--includes": " ".join([f"-I{headers}", *includes]),
        "--cflags": flags,
        "--libs": " ".join(libraries),
        "--compiler": compiler if Path(compiler).exists() else shutil.which("c++"),
    }
    text = own.read_text()
    for option, answer in answers.items():
        text = re.sub(rf'(    {option}\\)\\n\\s*echo ).*', lambda found: f'{found.group(1)}"{answer}"', text)
    copy = Path(install) / "nest" / "bin" / "nest-config"
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_text(text)
    copy.chmod(0o755)
    return str(copy.parent.parent)


def main(install):
    Path(install).mkdir(parents=True, exist_ok=True)
    generate_nest_target(
        input_path=[str(here / "leaky_neuron.nestml"), str(here / "calcium_synapse.nestml")],
        target_path=str(Path(install).resolve() / "generated"),
        module_name="calciummodule",
        install_path=str(Path(install).resolve()),
        suffix="_nestml",
        logging_level="ERROR",
        codegen_opts={
            "nest_version": "v3.10.0",  # found by itself only if NEST has all its models
            "nest_path": nest_folder(install),
            "neuron_synapse_pairs": [
                {"neuron": "leaky_neuron", "synapses": {"calcium_synapse": {"post_ports": ["post_spikes"]}}}
            ],
            "weight_variable": {"calcium_synapse": "w"},
        },
    )


if __name__ == "__main__":
    main(sys.argv[1])
'''
