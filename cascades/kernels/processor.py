"""What the processor can do."""

from __future__ import annotations

from functools import cache


@cache
def native_lanes() -> int:
    """Float64 lanes of the widest vectors of this processor: 8 (AVX-512), 4 (AVX2), 2 (SSE2, NEON)."""
    import llvmlite.binding as llvm

    features = llvm.get_host_cpu_features()
    if features.get("avx512f") and features.get("avx512dq"):
        return 8
    return 4 if features.get("avx2") else 2
