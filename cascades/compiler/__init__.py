"""From a model to compiled functions: equations, derivatives, ordering, code."""
