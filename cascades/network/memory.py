"""Vectors of sixteen lanes and memory: loads, stores, gathers, prefetch, and records of four words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from cascades.network.vectors import FLOATS, INTS, LANES, Vector

_F32, _I32, _I64, _I8 = ir.FloatType(), ir.IntType(32), ir.IntType(64), ir.IntType(8)
_WIDE_F, _WIDE_I = (ir.VectorType(t, LANES) for t in (_F32, _I32))
_QUAD = ir.VectorType(_F32, 4)
RECORDS = types.Tuple((FLOATS, FLOATS, INTS, INTS))
# The record, 0 to 15, that each lane holds after `load_records`.
_RECORD_OF_LANE = [4 * k + q for q in range(4) for k in range(4)]


def _address(context: Any, builder: Any, array: tuple, index: tuple, item: ir.Type) -> Any:
    """Address of array[index] as a pointer to `item`; both come as (value, numba type)."""
    start = context.make_array(array[1])(context, builder, array[0]).data
    offset = context.cast(builder, index[0], index[1], types.intp)
    return builder.bitcast(builder.gep(start, [offset]), item.as_pointer())


def _plain_load(vector: Vector) -> Any:
    def load(typing, array, index):  # type: ignore[no-untyped-def]
        def lower(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            pairs: list[Any] = list(zip(values, signature.args))
            return builder.load(_address(context, builder, pairs[0], pairs[1], vector.wide), align=4)

        return vector(array, index), lower

    return intrinsic(load)


load_floats = _plain_load(FLOATS)
load_ints = _plain_load(INTS)


@intrinsic
def store(typing, array, index, vector):  # type: ignore[no-untyped-def]
    """array[index : index + 16] = vector."""

    def lower(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        pairs: list[Any] = list(zip(values, signature.args))
        builder.store(values[2], _address(context, builder, pairs[0], pairs[1], values[2].type), align=4)
        return context.get_dummy_value()

    return types.void(array, index, vector), lower


def _ask_for(builder: Any, address: Any) -> None:
    """Bring a cache line as far as the second-level cache.

    There are more requests under way there than a processor allows into its first level: 131 ms against 210
    for the columns of 8 million synapses in a second of biology.
    """
    kind = ir.FunctionType(ir.VoidType(), [address.type, _I32, _I32, _I32])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    builder.call(function, [address, *(ir.Constant(_I32, n) for n in (0, 2, 1))])


@intrinsic
def prefetch(typing, array, index):  # type: ignore[no-untyped-def]
    """Ask for the cache line of array[index]."""

    def lower(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        pairs: list[Any] = list(zip(values, signature.args))
        _ask_for(builder, _address(context, builder, pairs[0], pairs[1], _I8))
        return context.get_dummy_value()

    return types.void(array, index), lower


@intrinsic
def prefetch_records(typing, array, column, index):  # type: ignore[no-untyped-def]
    """Ask for the records column[index : index + 16]."""

    def lower(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        for address in _listed_addresses(context, builder, signature, values):
            _ask_for(builder, builder.bitcast(address, _I8.as_pointer()))
        return context.get_dummy_value()

    return types.void(array, column, index), lower


@intrinsic
def gather_ints(typing, array, index):  # type: ignore[no-untyped-def]
    """array[index] lane by lane."""

    def lower(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        start = context.make_array(signature.args[0])(context, builder, values[0]).data
        out = ir.Constant(_WIDE_I, ir.Undefined)
        for lane in range(LANES):
            number = ir.Constant(_I32, lane)
            offset = builder.sext(builder.extract_element(values[1], number), _I64)
            out = builder.insert_element(out, builder.load(builder.gep(start, [offset])), number)
        return out

    return INTS(array, index), lower


@intrinsic
def scatter_floats(typing, array, index, vector):  # type: ignore[no-untyped-def]
    """array[index] = vector lane by lane; of equal indices the last lane counts."""

    def lower(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        start = context.make_array(signature.args[0])(context, builder, values[0]).data
        for lane in range(LANES):
            number = ir.Constant(_I32, lane)
            offset = builder.sext(builder.extract_element(values[1], number), _I64)
            builder.store(builder.extract_element(values[2], number), builder.gep(start, [offset]))
        return context.get_dummy_value()

    return types.void(array, index, vector), lower


@intrinsic
def add_at(typing, array, index, vector):  # type: ignore[no-untyped-def]
    """array[index] += vector, one after the other, so that equal indices add up.

    The order is that of the records which `load_records` brought in: a sum does not depend on where a vector
    begins, hence not on how many threads share a row.
    """

    def lower(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        start = context.make_array(signature.args[0])(context, builder, values[0]).data
        for record in range(LANES):
            number = ir.Constant(_I32, _RECORD_OF_LANE.index(record))
            offset = builder.sext(builder.extract_element(values[1], number), _I64)
            place = builder.gep(start, [offset])
            builder.store(
                builder.fadd(builder.load(place), builder.extract_element(values[2], number)), place
            )
        return context.get_dummy_value()

    return types.void(array, index, vector), lower


# ---------------------------------------------------------------------------------- records of four words
# A record is 16 bytes (two floats, two ints).  Sixteen records come in as four vectors, and a 4 x 4 transpose
# inside each 128-bit quarter puts the fields into vectors of their own.  The lanes then stand in another
# order than the records did; the way back restores it, and arithmetic lane by lane never sees it.
_INTERLEAVE_LOW = [4 * q + k for q in range(4) for k in (0, 16, 1, 17)]
_INTERLEAVE_HIGH = [4 * q + k for q in range(4) for k in (2, 18, 3, 19)]
_PAIRS_LOW = [4 * q + k for q in range(4) for k in (0, 1, 16, 17)]
_PAIRS_HIGH = [4 * q + k for q in range(4) for k in (2, 3, 18, 19)]


def _shuffle(builder: Any, a: Any, b: Any, order: Sequence[int]) -> Any:
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(_I32, len(order)), list(order)))


def _transpose(builder: Any, rows: Sequence[Any]) -> list[Any]:
    low: list[Any] = [_shuffle(builder, rows[i], rows[i + 1], _INTERLEAVE_LOW) for i in (0, 2)]
    high: list[Any] = [_shuffle(builder, rows[i], rows[i + 1], _INTERLEAVE_HIGH) for i in (0, 2)]
    return [_shuffle(builder, a, b, order) for a, b in (low, high) for order in (_PAIRS_LOW, _PAIRS_HIGH)]


def _to_fields(context: Any, builder: Any, quarters: Sequence[Any]) -> Any:
    u, rho, last, target = _transpose(builder, quarters)
    fields = [u, rho, builder.bitcast(last, _WIDE_I), builder.bitcast(target, _WIDE_I)]
    return context.make_tuple(builder, RECORDS, fields)


def _to_quarters(builder: Any, fields: Sequence[Any]) -> list[Any]:
    return _transpose(builder, [builder.bitcast(f, _WIDE_F) if f.type != _WIDE_F else f for f in fields])


def _quarter_addresses(context: Any, builder: Any, array: tuple, index: tuple) -> list[Any]:
    first = builder.shl(context.cast(builder, index[0], index[1], types.intp), ir.Constant(_I64, 2))
    start = _address(context, builder, array, (first, types.intp), _WIDE_F)
    return [builder.gep(start, [ir.Constant(_I32, q)]) for q in range(4)]


def _item_addresses(context: Any, builder: Any, array: tuple, index: Any, shift: int) -> list[Any]:
    """Addresses of 16 bytes at array + index * 2**shift bytes."""
    start = builder.bitcast(context.make_array(array[1])(context, builder, array[0]).data, _I8.as_pointer())
    addresses = []
    for lane in range(LANES):
        number = builder.sext(builder.extract_element(index, ir.Constant(_I32, lane)), _I64)
        place = builder.gep(start, [builder.shl(number, ir.Constant(_I64, shift))])
        addresses.append(builder.bitcast(place, _QUAD.as_pointer()))
    return addresses


def _listed_addresses(context: Any, builder: Any, signature: Any, values: Any) -> list[Any]:
    """Addresses of the records column[index : index + 16]; arguments are (array, column, index).

    The numbers come one by one: taking them out of a vector costs more than the records themselves.
    """
    array, column, index = list(zip(values, signature.args))[:3]
    start = builder.bitcast(context.make_array(array[1])(context, builder, array[0]).data, _I8.as_pointer())
    numbers = _address(context, builder, column, index, _I32)
    addresses = []
    for lane in range(LANES):
        number = builder.sext(builder.load(builder.gep(numbers, [ir.Constant(_I64, lane)]), align=4), _I64)
        place = builder.gep(start, [builder.shl(number, ir.Constant(_I64, 4))])
        addresses.append(builder.bitcast(place, _QUAD.as_pointer()))
    return addresses


def _gather_quarters(builder: Any, addresses: Sequence[Any]) -> list[Any]:
    """Item l of sixteen goes to quarter l // 4 of vector l % 4, so that a transpose keeps the lane order."""
    items = [builder.load(a, align=4) for a in addresses]
    quarters = []
    for q in range(4):
        halves: list[Any] = [
            _shuffle(builder, items[q + 8 * h], items[q + 8 * h + 4], range(8)) for h in (0, 1)
        ]
        quarters.append(_shuffle(builder, halves[0], halves[1], range(16)))
    return quarters


@intrinsic
def load_records(typing, array, index):  # type: ignore[no-untyped-def]
    """Records index, index + 1, ... as (u, rho, last, target); lanes in the order of `record_numbers`."""

    def lower(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        addresses = _quarter_addresses(context, builder, *zip(values, signature.args))
        return _to_fields(context, builder, [builder.load(a, align=4) for a in addresses])

    return RECORDS(array, index), lower


@intrinsic
def store_records(typing, array, index, u, rho, last, target):  # type: ignore[no-untyped-def]
    """The way back of `load_records`."""

    def lower(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        pairs: list[Any] = list(zip(values, signature.args))
        addresses = _quarter_addresses(context, builder, *pairs[:2])
        for address, quarter in zip(addresses, _to_quarters(builder, values[2:])):
            builder.store(quarter, address, align=4)
        return context.get_dummy_value()

    return types.void(array, index, u, rho, last, target), lower


def _rest_masks(builder: Any, count: Any) -> list[Any]:
    """Per quarter, which of its floats belong to the first `count` of sixteen records."""
    undefined = ir.Constant(_WIDE_I, ir.Undefined)
    first = builder.insert_element(undefined, builder.trunc(count, _I32), ir.Constant(_I32, 0))
    limit = builder.shuffle_vector(first, undefined, ir.Constant(_WIDE_I, [0] * LANES))
    records = (ir.Constant(_WIDE_I, [4 * q + k // 4 for k in range(LANES)]) for q in range(4))
    return [builder.icmp_signed("<", r, limit) for r in records]


def _rest(context: Any, builder: Any, signature: Any, values: Any) -> tuple[list[Any], list[Any], Any]:
    """(addresses, masks) of the quarters from record `first` to `last` - 1; the index of the last record."""
    array, first, last = list(zip(values, signature.args))[:3]
    first_64, last_64 = (context.cast(builder, *x, types.int64) for x in (first, last))
    addresses = _quarter_addresses(context, builder, array, (first_64, types.int64))
    masks = _rest_masks(builder, builder.sub(last_64, first_64))
    return addresses, masks, builder.sub(last_64, ir.Constant(_I64, 1))


@intrinsic
def load_rest(typing, array, first, last):  # type: ignore[no-untyped-def]
    """The records first ... last - 1, sixteen at most, in the order of `load_records`; lanes beyond repeat
    the last."""

    def lower(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        addresses, masks, final = _rest(context, builder, signature, values)
        offset = builder.shl(final, ir.Constant(_I64, 2))
        place = _address(context, builder, (values[0], signature.args[0]), (offset, types.int64), _QUAD)
        record = builder.load(place, align=4)
        repeated = _shuffle(builder, record, record, [0, 1, 2, 3] * 4)
        kind = ir.FunctionType(_WIDE_F, [addresses[0].type, _I32, masks[0].type, _WIDE_F])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.masked.load.v16f32.p0")
        align = ir.Constant(_I32, 4)
        quarters = [builder.call(function, [a, align, m, repeated]) for a, m in zip(addresses, masks)]
        return _to_fields(context, builder, quarters)

    return RECORDS(array, first, last), lower


@intrinsic
def store_rest(typing, array, first, last, u, rho, seen, target):  # type: ignore[no-untyped-def]
    """The way back of `load_rest`: nothing beyond the last record is touched."""

    def lower(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        addresses, masks, _ = _rest(context, builder, signature, values)
        kind = ir.FunctionType(ir.VoidType(), [_WIDE_F, addresses[0].type, _I32, masks[0].type])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.masked.store.v16f32.p0")
        for address, mask, quarter in zip(addresses, masks, _to_quarters(builder, values[3:])):
            builder.call(function, [quarter, address, ir.Constant(_I32, 4), mask])
        return context.get_dummy_value()

    return types.void(array, first, last, u, rho, seen, target), lower


@intrinsic
def record_numbers(typing):  # type: ignore[no-untyped-def]
    """The record, 0 to 15, that each lane holds after `load_records`."""
    return INTS(), lambda context, builder, signature, values: ir.Constant(_WIDE_I, _RECORD_OF_LANE)


@intrinsic
def gather_records(typing, array, index):  # type: ignore[no-untyped-def]
    """The records array[index] as (u, rho, last, target), lane by lane."""

    def lower(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        array = (values[0], signature.args[0])
        addresses = _item_addresses(context, builder, array, values[1], 4)
        return _to_fields(context, builder, _gather_quarters(builder, addresses))

    return RECORDS(array, index), lower


def _scatter_quarters(builder: Any, quarters: Sequence[Any], addresses: Sequence[Any]) -> None:
    """The way back of `_gather_quarters`; of equal addresses the last lane counts."""
    for lane, address in enumerate(addresses):
        first = 4 * (lane // 4)
        item = _shuffle(builder, quarters[lane % 4], quarters[lane % 4], range(first, first + 4))
        builder.store(item, address, align=4)


@intrinsic
def gather_listed(typing, array, column, index):  # type: ignore[no-untyped-def]
    """The records column[index : index + 16] as (u, rho, last, target), lane by lane."""

    def lower(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        addresses = _listed_addresses(context, builder, signature, values)
        return _to_fields(context, builder, _gather_quarters(builder, addresses))

    return RECORDS(array, column, index), lower


@intrinsic
def scatter_listed(typing, array, column, index, u, rho, last, target):  # type: ignore[no-untyped-def]
    """The way back of `gather_listed`."""

    def lower(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        addresses = _listed_addresses(context, builder, signature, values)
        _scatter_quarters(builder, _to_quarters(builder, values[3:]), addresses)
        return context.get_dummy_value()

    return types.void(array, column, index, u, rho, last, target), lower


@intrinsic
def scatter_records(typing, array, index, u, rho, last, target):  # type: ignore[no-untyped-def]
    """The way back of `gather_records`; of equal indices the last lane counts."""

    def lower(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        addresses = _item_addresses(context, builder, (values[0], signature.args[0]), values[1], 4)
        _scatter_quarters(builder, _to_quarters(builder, values[2:]), addresses)
        return context.get_dummy_value()

    return types.void(array, index, u, rho, last, target), lower


@intrinsic
def gather_pairs(typing, array, index):  # type: ignore[no-untyped-def]
    """(a[2i], a[2i + 1], a[2i + 2], a[2i + 3]) at i = index: a table of pairs and the next row, in one
    load."""
    result = types.UniTuple(FLOATS, 4)

    def lower(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        array = (values[0], signature.args[0])
        addresses = _item_addresses(context, builder, array, values[1], 3)
        fields = _transpose(builder, _gather_quarters(builder, addresses))
        return context.make_tuple(builder, result, fields)

    return result(array, index), lower
