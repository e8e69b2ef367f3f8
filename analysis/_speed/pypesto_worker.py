"""A multistart of pyPESTO with AMICI, in an interpreter of its own: it may not share ours.

    python pypesto_worker.py PROBLEM.yaml STARTS SEED

compiles the model, fits with Fides and the Fisher information (the gradient method that suits least
squares best), and prints one line of JSON: CPU seconds without the compilation, and every objective.
What goes wrong is a line that begins with `refused`.
"""

from __future__ import annotations

import json
import logging
import sys
import tempfile
import time

import numpy as np


def main(file: str, starts: str, seed: str) -> None:
    try:
        seconds, objectives = multistart(file, int(starts), int(seed))
    except Exception as refused:  # whatever a build or a run brings up
        print(f"refused: {type(refused).__name__}: {str(refused)[:200]!r}", flush=True)
        return
    print(json.dumps({"seconds": seconds, "objectives": objectives}), flush=True)


def multistart(file: str, starts: int, seed: int):  # type: ignore[no-untyped-def]
    import pypesto.optimize
    import pypesto.petab

    importer = pypesto.petab.PetabImporter.from_yaml(file, output_folder=tempfile.mkdtemp())
    problem = importer.create_problem()
    problem.objective(problem.x_guesses[0] if len(problem.x_guesses) else (problem.lb + problem.ub) / 2)
    np.random.seed(seed)  # noqa: NPY002 - theirs draws from the global generator
    begin = time.process_time()
    result = pypesto.optimize.minimize(
        problem,
        optimizer=pypesto.optimize.FidesOptimizer(verbose=logging.ERROR, options={"maxiter": 500}),
        n_starts=starts,
        progress_bar=False,
    )
    return time.process_time() - begin, [float(one["fval"]) for one in result.optimize_result.list]


if __name__ == "__main__":
    main(*sys.argv[1:])
