"""Rows fetched from memory while something else is computed.

A core asks for few lines of memory by itself, and for none while it solves pixels: without this the time of reading and
the time of computing add up.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from .compiled import kernel

_LINE = 64
"""Bytes that come together."""

_SECOND_LEVEL = 2
_NEAR_BYTES = 4096


@kernel
def fetch_row(X, i):
    """Ask for row i of X; one beyond the last does no harm."""
    for j in range(0, X.shape[1], _LINE // X.itemsize):
        _ask_for(X, i, j)


@kernel
def rows_ahead(X):
    """Return how many rows before its turn a row is to be asked for, where rows are only read."""
    return 2 + _NEAR_BYTES // max(1, X.shape[1] * X.itemsize)


def _the_instruction(context: Any, X: Any, i: Any, j: Any) -> Any:
    """Return the types and the code of the processor's own instruction, which asks for the line of X[i, j]."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.args[0]
        array = context.make_array(kind)(context, builder, arguments[0])
        place = cgutils.get_item_pointer(context, builder, kind, array, list(arguments[1:]), wraparound=False)
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        shape = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        ask = builder.module.declare_intrinsic("llvm.prefetch", [byte], shape)
        builder.call(ask, [builder.bitcast(place, byte), number(0), number(_SECOND_LEVEL), number(1)])
        return context.get_dummy_value()

    return types.void(X, types.intp, types.intp), generate


_ask_for: Any = intrinsic(_the_instruction)
