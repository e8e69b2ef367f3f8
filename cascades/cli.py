"""The command line: every verb is one file in `commands/`."""

from __future__ import annotations

import signal
import sys

import typer

from cascades.commands import COMMANDS
from cascades.errors import CascadesError

app = typer.Typer(
    name="cascades",
    help="From dendritic spine biochemistry to a learning rule to a network.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _name, _command in COMMANDS.items():
    app.command(_name)(_command)


def _version(wanted: bool) -> None:
    if wanted:
        from cascades import __version__

        typer.echo(f"cascades {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    pass


def main() -> None:
    """Run the command line; what cascades refuses is one message on stderr and exit code 1."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that half-written files are removed
    try:
        app(prog_name="cascades")
    except CascadesError as error:
        sys.exit("\n".join([f"cascades: {error}", *getattr(error, "__notes__", ())]))
    except OSError as error:
        sys.exit(f"cascades: {error.strerror or error}{f': {error.filename}' if error.filename else ''}")
