"""Values of small constant tensors, so that `.item()`, `if` and scalar operands work on them.

Row-major lists of Python numbers, rounded to the tensor's type. Anything not covered is simply unknown (None).
"""

import math
import struct

LIMIT = 4096
"""Tensors of more elements are never evaluated here."""


def rounded(values, dtype):
    """The list rounded to dtype."""
    name = dtype.name
    if name == 'bool':
        return [bool(v) for v in values]
    if dtype.category == 1:
        bits, signed = dtype.itemsize * 8, dtype.is_signed
        wrap = lambda v: (int(v) + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1) if signed else int(v) % (1 << bits)
        return [wrap(v) for v in values]
    if name == 'float32':
        return [_single(float(v)) for v in values]
    if name == 'float64':
        return [float(v) for v in values]
    if name == 'float16':
        return [_half(float(v)) for v in values]
    return [_brain(float(v)) for v in values]


def _single(v):
    try:
        return struct.unpack('<f', struct.pack('<f', v))[0]
    except OverflowError:
        return math.copysign(math.inf, v)


def _half(v):
    try:
        return struct.unpack('<e', struct.pack('<e', v))[0]
    except OverflowError:
        return math.copysign(math.inf, v)


def _brain(v):
    """Round to nearest even on the upper half of the float32 pattern."""
    v = _single(v)
    if v != v or math.isinf(v):
        return v
    bits = struct.unpack('<I', struct.pack('<f', v))[0]
    bits = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000
    return struct.unpack('<f', struct.pack('<I', bits & 0xFFFFFFFF))[0]


def _sign(v):
    return (v > 0) - (v < 0)


def _pow(a, b):
    return a**b


UNARY = {
    'neg': lambda v: -v,
    'abs': abs,
    'sign': _sign,
    'floor': math.floor,
    'ceil': math.ceil,
    'round': round,
    'trunc': math.trunc,
    'exp': math.exp,
    'exp2': lambda v: 2.0**v,
    'expm1': math.expm1,
    'log': math.log,
    'log2': math.log2,
    'log10': math.log10,
    'log1p': math.log1p,
    'sqrt': math.sqrt,
    'rsqrt': lambda v: 1 / math.sqrt(v),
    'reciprocal': lambda v: 1 / v,
    'sin': math.sin,
    'cos': math.cos,
    'tanh': math.tanh,
    'erf': math.erf,
    'sigmoid': lambda v: 1 / (1 + math.exp(-v)),
    'relu': lambda v: max(v, 0),
    'logical_not': lambda v: not v,
    'cast': lambda v: v,
    'isnan': lambda v: v != v,
    'isinf': lambda v: v in (math.inf, -math.inf),
}

BINARY = {
    'add': lambda a, b: a + b,
    'sub': lambda a, b: a - b,
    'mul': lambda a, b: a * b,
    'div': lambda a, b: a / b,
    'div_floor': lambda a, b: a // b,
    'div_trunc': lambda a, b: math.trunc(a / b),
    'pow': _pow,
    'remainder': lambda a, b: a % b,
    'minimum': min,
    'maximum': max,
    'eq': lambda a, b: a == b,
    'ne': lambda a, b: a != b,
    'lt': lambda a, b: a < b,
    'le': lambda a, b: a <= b,
    'gt': lambda a, b: a > b,
    'ge': lambda a, b: a >= b,
    'logical_and': lambda a, b: bool(a) and bool(b),
    'logical_or': lambda a, b: bool(a) or bool(b),
    'logical_xor': lambda a, b: bool(a) != bool(b),
}


def unary(op, values, dtype):
    """op over known values, or None when unknown (also where Python's math refuses, e.g. log of 0)."""
    f = UNARY.get(op)
    if values is None or f is None:
        return None
    try:
        return rounded([f(v) for v in values], dtype)
    except (ValueError, ZeroDivisionError, OverflowError, TypeError):
        return None


def binary(op, a, a_shape, b, b_shape, shape, dtype):
    """op over known values with broadcasting, or None."""
    f = BINARY.get(op)
    if a is None or b is None or f is None or _count(shape) > LIMIT:
        return None
    ia, ib = broadcast_index(a_shape, shape), broadcast_index(b_shape, shape)
    try:
        return rounded([f(a[i], b[j]) for i, j in zip(ia, ib)], dtype)
    except (ValueError, ZeroDivisionError, OverflowError, TypeError):
        return None


def _count(shape):
    return math.prod(shape)


def strides_of(shape):
    """Row-major strides."""
    strides, run = [], 1
    for n in reversed(shape):
        strides.append(run)
        run *= n
    return strides[::-1]


def indices(shape, strides, offset=0):
    """Flat source index of every element of a strided view, in row-major order."""
    flat = [offset]
    for n, s in zip(shape, strides):
        flat = [base + i * s for base in flat for i in range(n)]
    return flat


def broadcast_index(source, shape):
    """Flat index into `source` for every element of the broadcast `shape`."""
    padded = (1,) * (len(shape) - len(source)) + tuple(source)
    strides = [0 if p == 1 and n != 1 else s for p, n, s in zip(padded, shape, strides_of(padded))]
    return indices(shape, strides)


def view(op, attributes, values, source, shape):
    """Values after a view operator, or None."""
    if values is None or _count(shape) > LIMIT:
        return None
    strides = strides_of(source)
    if op == 'reshape':
        return values
    if op == 'expand':
        at = broadcast_index(source, shape)
    elif op == 'permute':
        at = indices(shape, [strides[d] for d in attributes['dims']])
    elif op == 'select':
        d = attributes['dim']
        at = indices(shape, strides[:d] + strides[d + 1 :], attributes['index'] * strides[d])
    elif op == 'slice':
        d = attributes['dim']
        steps = list(strides)
        steps[d] *= attributes['step']
        at = indices(shape, steps, attributes['start'] * strides[d])
    else:
        return None
    return [values[i] for i in at]
