"""The scalar corner of NumPy that task files use for sizes and constants; arrays are refused by name."""

import math as _math
from torch._record import unsupported as _unsupported

pi, e, inf, nan, newaxis = _math.pi, _math.e, _math.inf, _math.nan, None
sqrt, log, log2, log10, exp, floor, ceil = (
    _math.sqrt,
    _math.log,
    _math.log2,
    _math.log10,
    _math.exp,
    _math.floor,
    _math.ceil,
)
sin, cos, tan, tanh = _math.sin, _math.cos, _math.tan, _math.tanh
integer, floating, ndarray = int, float, type('ndarray', (), {})


def prod(a):
    return _math.prod(a)


def log1p(x):
    return _math.log1p(x)


def maximum(a, b):
    return max(a, b)


def minimum(a, b):
    return min(a, b)


def __getattr__(name):
    if name.startswith('__'):
        raise AttributeError(name)
    raise _unsupported(f'numpy.{name}')
