"""`python -m cascades` is the command line."""

from cascades.cli import main

main()
