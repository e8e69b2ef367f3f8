"""SBML and Antimony, read into a `Model` and written from one: one file per concept."""
