"""How many tasks are sent to an executor before the first of them comes back."""

from __future__ import annotations

import os
from concurrent.futures import Executor

AHEAD = 4  # tasks that wait for a worker, so that none of them waits for a task


def under_way(executor: Executor) -> int:
    """Enough tasks for all workers of an executor, and few enough that not all of them are copied at once.

    Executors of processes, threads and MPI know how many workers they have; that of dask asks its cluster,
    which may grow.  Others are taken to be as large as this machine.
    """
    workers = getattr(executor, "_max_workers", None)
    client = getattr(executor, "_client", None)  # of dask.distributed
    if workers is None and client is not None:
        workers = sum(client.nthreads().values())
    return (workers or os.cpu_count() or 1) + AHEAD
