"""One self-contained page per run, and the documentation that is written from the models."""
