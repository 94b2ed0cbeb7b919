"""The three inner loops, written for the vector unit: numba intrinsics in LLVM's portable vector types.

LLVM vectorises none of these loops by itself as well as the processor can run them (measured: 30 to 60 million
pairs/s instead of 240). The vectors here name no instruction set: LLVM splits them into what the machine has, and
finds ``psadbw`` (sum of absolute differences of bytes) where there is one.

``shared`` needs rows of a width that :func:`padded_width` gives; zeros are padded, which changes no Σ min.
"""
# numba reads the names of the arguments, so that all of them must be there.
# ruff: noqa: ARG001

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from analytics.similarity.compiled import compiled

SEGMENTS = 16
"""Coarse sums of a fingerprint: one vector register of 16-bit numbers."""
LEAF = 64
"""Rows whose bounds are computed together: one bit each in the mask that comes back."""

_I1, _I16, _I32, _I64 = ir.IntType(1), ir.IntType(16), ir.IntType(32), ir.IntType(64)


def _intrinsic(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate as numba does, for a type checker that cannot know that kernels leave the context out."""
    return cast(Callable[..., Any], intrinsic(function))


def padded_width(n_counts: int) -> int:
    """The smallest row width (columns) that is a whole number of vector registers of bytes, at least one."""
    return max(1, -(-n_counts // 32)) * 32


def _call(builder: Any, name: str, result: Any, *arguments: Any) -> Any:
    """Call an LLVM intrinsic function."""
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    function: Any = cgutils.get_or_insert_function
    return builder.call(function(builder.module, kind, name), arguments)


def _splat(builder: Any, scalar: Any, n: int) -> Any:
    """A vector of n times the same number."""
    nothing = ir.Constant(ir.VectorType(scalar.type, n), ir.Undefined)
    first = builder.insert_element(nothing, scalar, _I32(0))
    return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(_I32, n), [0] * n))


def _row(context: Any, builder: Any, kind: Any, array: Any, place: Any) -> tuple[Any, Any]:
    """Address of ``array[place]`` of a C-contiguous array, and its number of elements."""
    view = context.make_array(kind)(context, builder, array)
    size = _I64(1)
    lengths: Any = cgutils.unpack_tuple
    for length in lengths(builder, view.shape)[1:]:
        size = builder.mul(size, length)
    return builder.gep(view.data, [builder.mul(place, size)]), size


def _load(builder: Any, address: Any, offset: Any, vector: Any) -> Any:
    """Load a vector; numpy aligns an array to its elements only."""
    loaded = builder.load(builder.bitcast(builder.gep(address, [offset]), vector.as_pointer()))
    loaded.align = vector.element.width // 8
    return loaded


def _absolute_differences(builder: Any, left: Any, right: Any, n: int) -> Any:
    """|left − right| as 32-bit numbers, in the form in which LLVM finds ``psadbw``."""
    wide = ir.VectorType(_I32, n)
    difference = builder.sub(builder.zext(left, wide), builder.zext(right, wide))
    return _call(builder, f"llvm.abs.v{n}i32", wide, difference, ir.Constant(_I1, 0))


@_intrinsic
def shared(context: Any, left: Any, i: Any, right: Any, j: Any, both: Any) -> Any:
    """Σ min(left[i], right[j]) of two 2-D arrays of one dtype; ``both`` is the sum of the two rows' totals."""
    signature = types.int64(left, types.intp, right, types.intp, types.int64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        bits = signature.args[0].dtype.bitwidth
        a, width = _row(context, builder, signature.args[0], arguments[0], arguments[1])
        b, _ = _row(context, builder, signature.args[2], arguments[2], arguments[3])
        make = _shared_bytes if bits == 8 else _shared_words
        return make(builder, a, b, width, arguments[4])

    return signature, generate


def _shared_bytes(builder: Any, a: Any, b: Any, width: Any, both: Any) -> Any:
    """Σ min = (both − Σ |a − b|) / 2: the absolute differences of 32 bytes are one instruction."""
    vector = ir.VectorType(ir.IntType(8), 32)
    sums = ir.VectorType(_I32, 32)
    entry, loop, end = builder.block, builder.append_basic_block("bytes"), builder.append_basic_block("bytes_end")
    builder.branch(loop)
    builder.position_at_end(loop)
    column, total = builder.phi(_I64), builder.phi(sums)
    column.add_incoming(_I64(0), entry)
    total.add_incoming(ir.Constant(sums, None), entry)
    left, right = _load(builder, a, column, vector), _load(builder, b, column, vector)
    more = builder.add(total, _absolute_differences(builder, left, right, 32))
    following = builder.add(column, _I64(32))
    column.add_incoming(following, loop)
    total.add_incoming(more, loop)
    builder.cbranch(builder.icmp_signed("<", following, width), loop, end)
    builder.position_at_end(end)
    apart = builder.zext(_call(builder, "llvm.vector.reduce.add.v32i32", _I32, more), _I64)
    return builder.lshr(builder.sub(both, apart), _I64(1))


def _shared_words(builder: Any, a: Any, b: Any, width: Any, both: Any) -> Any:
    """Σ min of 16-bit counts: odd columns are shifted down; even ones are what is left of the wrapped sum."""
    del both
    vector, sums = ir.VectorType(_I16, 16), ir.VectorType(_I32, 8)
    half = ir.Constant(sums, [16] * 8)
    entry, loop, end = builder.block, builder.append_basic_block("words"), builder.append_basic_block("words_end")
    builder.branch(loop)
    builder.position_at_end(loop)
    column, every, odd = builder.phi(_I64), builder.phi(sums), builder.phi(sums)
    column.add_incoming(_I64(0), entry)
    every.add_incoming(ir.Constant(sums, None), entry)
    odd.add_incoming(ir.Constant(sums, None), entry)
    smaller = _call(builder, "llvm.umin.v16i16", vector,
                    _load(builder, a, column, vector), _load(builder, b, column, vector))
    pairs = builder.bitcast(smaller, sums)
    # A pair of columns reads as one 32-bit number, even + 65536 odd (the other way round on big-endian machines).
    more_every, more_odd = builder.add(every, pairs), builder.add(odd, builder.lshr(pairs, half))
    following = builder.add(column, _I64(16))
    for phi, value in ((column, following), (every, more_every), (odd, more_odd)):
        phi.add_incoming(value, loop)
    builder.cbranch(builder.icmp_signed("<", following, width), loop, end)
    builder.position_at_end(end)
    even = builder.sub(more_every, builder.shl(more_odd, half))
    return builder.zext(_call(builder, "llvm.vector.reduce.add.v8i32", _I32, builder.add(even, more_odd)), _I64)


@_intrinsic
def overlap(context: Any, left: Any, i: Any, right: Any, j: Any) -> Any:
    """Σ min of two rows of SEGMENTS coarse sums (n, SEGMENTS) uint16, whose sum must stay below 65536."""
    signature = types.int64(left, types.intp, right, types.intp)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector = ir.VectorType(_I16, SEGMENTS)
        a, _ = _row(context, builder, signature.args[0], arguments[0], arguments[1])
        b, _ = _row(context, builder, signature.args[2], arguments[2], arguments[3])
        smaller = _call(builder, f"llvm.umin.v{SEGMENTS}i16", vector,
                        _load(builder, a, _I64(0), vector), _load(builder, b, _I64(0), vector))
        return builder.zext(_call(builder, f"llvm.vector.reduce.add.v{SEGMENTS}i16", _I16, smaller), _I64)

    return signature, generate


@_intrinsic
def survivors(context: Any, sums: Any, leaf: Any, queries: Any, i: Any, need: Any) -> Any:
    """Which of the LEAF rows of a leaf share at least ``need`` with a query, judged by the coarse sums.

    ``sums`` is (leaves, SEGMENTS, LEAF) uint16, ``queries`` (n, SEGMENTS) uint16, ``need`` 0…65535. Bit r of the
    uint64 that comes back stands for row r.
    """
    signature = types.uint64(sums, types.intp, queries, types.intp, types.uint16)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector = ir.VectorType(_I16, LEAF)
        table, _ = _row(context, builder, signature.args[0], arguments[0], arguments[1])
        query, _ = _row(context, builder, signature.args[2], arguments[2], arguments[3])
        total = ir.Constant(vector, None)
        for segment in range(SEGMENTS):
            column = _load(builder, table, _I64(segment * LEAF), vector)
            own = _splat(builder, builder.load(builder.gep(query, [_I64(segment)])), LEAF)
            total = builder.add(total, _call(builder, f"llvm.umin.v{LEAF}i16", vector, column, own))
        return builder.bitcast(builder.icmp_unsigned(">=", total, _splat(builder, arguments[4], LEAF)), _I64)

    return signature, generate


@_intrinsic
def add_shared(context: Any, columns: Any, block: Any, begin: Any, end: Any, row: Any, i: Any, total: Any) -> Any:
    """Add Σ min(row[i], r) over the columns begin…end to ``total`` (LEAF,) int32, for each of LEAF rows r.

    ``columns`` is (blocks, n_columns, LEAF), ``row`` (n, n_columns) of the same dtype; 0 < end − begin ≤ 256, so
    that sums stay within twice the bits of a count.
    """
    signature = types.void(columns, types.intp, types.intp, types.intp, row, types.intp, total)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        bits = signature.args[0].dtype.bitwidth
        table, _ = _row(context, builder, signature.args[0], arguments[0], arguments[1])
        own, _ = _row(context, builder, signature.args[4], arguments[4], arguments[5])
        result, _ = _row(context, builder, signature.args[6], arguments[6], _I64(0))
        even, odd = _column_sums(builder, table, own, arguments[2], arguments[3], bits)
        wide = ir.VectorType(_I32, LEAF // 2)
        if bits == 8:
            even, odd = builder.zext(even, wide), builder.zext(odd, wide)
        together = [half + LEAF // 2 * side for half in range(LEAF // 2) for side in (0, 1)]
        rows = builder.shuffle_vector(even, odd, ir.Constant(ir.VectorType(_I32, LEAF), together))
        target = builder.bitcast(result, rows.type.as_pointer())
        before = builder.load(target)
        before.align = 4
        builder.store(builder.add(before, rows), target).align = 4
        return context.get_dummy_value()

    return signature, generate


def _column_sums(builder: Any, table: Any, own: Any, begin: Any, end: Any, bits: int) -> tuple[Any, Any]:
    """Σ min of the even and of the odd ones of LEAF rows, in numbers of twice the bits; see ``_shared_words``."""
    vector, sums = ir.VectorType(ir.IntType(bits), LEAF), ir.VectorType(ir.IntType(2 * bits), LEAF // 2)
    half = ir.Constant(sums, [bits] * (LEAF // 2))
    entry, loop, done = builder.block, builder.append_basic_block("columns"), builder.append_basic_block("columns_end")
    builder.branch(loop)
    builder.position_at_end(loop)
    column, every, odd = builder.phi(_I64), builder.phi(sums), builder.phi(sums)
    column.add_incoming(begin, entry)
    every.add_incoming(ir.Constant(sums, None), entry)
    odd.add_incoming(ir.Constant(sums, None), entry)
    count = _splat(builder, builder.load(builder.gep(own, [column])), LEAF)
    there = _load(builder, table, builder.mul(column, _I64(LEAF)), vector)
    pairs = builder.bitcast(_call(builder, f"llvm.umin.v{LEAF}i{bits}", vector, there, count), sums)
    more_every, more_odd = builder.add(every, pairs), builder.add(odd, builder.lshr(pairs, half))
    following = builder.add(column, _I64(1))
    for phi, value in ((column, following), (every, more_every), (odd, more_odd)):
        phi.add_incoming(value, loop)
    builder.cbranch(builder.icmp_signed("<", following, end), loop, done)
    builder.position_at_end(done)
    return builder.sub(more_every, builder.shl(more_odd, half)), more_odd


@_intrinsic
def lowest_bit(context: Any, mask: Any) -> Any:
    """The place of the lowest set bit of a uint64 that is not zero."""
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        del context, signature
        return builder.cttz(arguments[0], ir.Constant(_I1, 1))

    return types.int64(types.uint64), generate


@compiled
def bits(begin: int, end: int) -> np.uint64:
    """The bits of the rows begin…end of one leaf; ``end`` may be the first row of the next one."""
    n = end - begin
    ones = ~np.uint64(0) if n == LEAF else (np.uint64(1) << np.uint64(n)) - np.uint64(1)
    return ones << np.uint64(begin % LEAF) if n else np.uint64(0)
