"""AMICI's forward sensitivities of one model, in an interpreter of its own: it may not share ours.

    python amici_worker.py MODEL.xml TIME,TIME,... PARAMETER,PARAMETER,... SLOPES.npz

compiles the model, writes the sensitivities and their names, says `ready`, and answers every line of its
input by one more run and the CPU seconds that it took.  What goes wrong is a line that begins with
`refused`.
"""

from __future__ import annotations

import sys
import tempfile
import time

import numpy as np

RTOL, ATOL = 1e-6, 1e-9


def prepare(file: str, times: str, names: str, slopes: str):  # type: ignore[no-untyped-def]
    """A function of no arguments that runs the model once."""
    from amici.importers.sbml import SbmlImporter
    from amici.sim.sundials import SensitivityMethod, SensitivityOrder, run_simulation

    model = SbmlImporter(file).sbml2amici("measured", tempfile.mkdtemp())
    known = list(model.get_free_parameter_ids())
    wanted = [name for name in names.split(",") if name in known]
    model.set_timepoints([float(t) for t in times.split(",")])
    model.set_parameter_list([known.index(name) for name in wanted])
    solver = model.create_solver()
    solver.set_relative_tolerance(RTOL)
    solver.set_absolute_tolerance(ATOL)
    solver.set_sensitivity_order(SensitivityOrder.first)
    solver.set_sensitivity_method(SensitivityMethod.forward)

    def run():  # type: ignore[no-untyped-def]
        found = run_simulation(model, solver)
        if found.status != 0:
            raise RuntimeError(f"status {found.status}")
        return found

    # their order is (times, parameters, states)
    found = np.moveaxis(np.asarray(run().sx), 1, 2)
    np.savez(slopes, slopes=found, parameters=wanted, states=list(model.get_state_ids()))
    return run


def main(*arguments: str) -> None:
    try:
        run = prepare(*arguments)
    except Exception as refused:  # whatever a build or a run brings up
        print(f"refused: {type(refused).__name__}: {str(refused)[:200]!r}", flush=True)
        return
    print("ready", flush=True)
    for _ in sys.stdin:
        start = time.process_time()
        run()
        print(time.process_time() - start, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
