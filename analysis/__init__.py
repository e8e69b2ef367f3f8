"""The studies: one file per claim, each with `main(arguments)`.  Run one by `python -m analysis NAME`."""
