"""Compiled numerics on float64 arrays.

    vectors      a numba type "vector of float64 lanes" with its operations
    elementary   exp, log and pow on vectors, as LLVM code
    factor       LU from tables, for matrices too large to be written out as code
    rodas5p      the coefficients of the Rosenbrock method
    lanes        the records and buffers of the driver
    step         one trial step of all lanes, and the polynomials within it
    settling     what happens at the present time of a lane
    control      how long a step is tried, and whether it is accepted
    inside       what lies within an accepted step
    driver       many initial-value problems, one per lane
    tangents     the derivatives of a driver's steps
    entry        entry points, kept on disk between sessions
    sources      a hash of what compiled code was made by
    random       counter-based random numbers

Nothing here raises: a status per member says what happened.
"""

from __future__ import annotations


def warm_up() -> float:
    """Compile what is compiled once per installation (about ten seconds); returns the seconds taken.

    Later processes load it in a fraction of a second.
    """
    import time

    from cascades.kernels.driver import compile_driver
    from cascades.kernels.vectors import native_lanes

    start = time.perf_counter()
    for lanes in (1, native_lanes()):
        compile_driver(lanes)
    return time.perf_counter() - start
