"""As many tasks are under way as keep every worker busy."""

from __future__ import annotations

import os
from concurrent.futures import Executor, ThreadPoolExecutor

from cascades.executors import AHEAD, under_way


class Dask(Executor):
    """What `Client.get_executor()` of dask.distributed has: a client that knows its cluster."""

    def __init__(self):
        self.threads = {"tcp://a": 8, "tcp://b": 4}
        self._client = self

    def nthreads(self):
        return self.threads


def test_workers_that_are_known():
    with ThreadPoolExecutor(3) as pool:
        assert under_way(pool) == 3 + AHEAD


def test_a_cluster_is_asked_again_when_it_grows():
    dask = Dask()
    assert under_way(dask) == 12 + AHEAD
    dask.threads["tcp://c"] = 4
    assert under_way(dask) == 16 + AHEAD


def test_an_executor_that_says_nothing():
    assert under_way(Executor()) == os.cpu_count() + AHEAD
