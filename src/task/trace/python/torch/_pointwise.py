"""Pointwise operators: unary, binary with promotion and broadcasting, comparison, logic, selection, activation."""

import math

from . import _constant
from ._dtypes import bool_, get_default_dtype, int64, resolve, result_type
from ._layout import pointwise
from ._record import scalar, unsupported
from ._tensor import Tensor, constant, emit
from ._views import broadcast_shape, expand


def _layout(shape, operands):
    """Strides of the result of a pointwise operator on tensors."""
    return pointwise(shape, [(t.shape, t._strides) for t in operands])


def cast(x, dtype):
    """x as dtype; x itself when it has that type."""
    dtype = resolve(dtype)
    if x.dtype is dtype:
        return x
    known = _constant.unary('cast', x._constant(), dtype)
    return emit('cast', [x], {'dtype': dtype.name}, (x.shape, dtype), strides=_layout(x.shape, [x]), known=known)


def as_float(x):
    """Integers and bools as the default floating type, as the float operators take them."""
    return x if x.dtype.category == 2 else cast(x, get_default_dtype())


def _is_number(x):
    return isinstance(x, (int, float)) or (hasattr(x, '__float__') and not isinstance(x, Tensor))


def _number(x):
    """A Python number, or a NumPy-like scalar, as int, float or bool."""
    if isinstance(x, (bool, int, float)):
        return x
    if isinstance(x, complex):
        raise unsupported('complex numbers')
    return float(x)


def apply(op, x, attributes=None, dtype=None):
    """A unary operator node."""
    dtype = dtype or x.dtype
    known = _constant.unary(op, x._constant(), dtype) if not attributes else None
    return emit(op, [x], attributes or {}, (x.shape, dtype), strides=_layout(x.shape, [x]), known=known)


def _unary(op, floats, name=None):
    def f(input, *, out=None):
        if out is not None:
            raise unsupported(f'out= of torch.{op}')
        if not isinstance(input, Tensor):
            raise TypeError(f"{op}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")
        return apply(op, as_float(input) if floats else input)

    f.__name__ = name or op
    return f


FLOAT_UNARY = (
    'exp exp2 expm1 log log2 log10 log1p sqrt rsqrt reciprocal sin cos tan asin acos atan sinh cosh asinh acosh atanh '
    'erf erfc tanh sigmoid'
).split()
ANY_UNARY = 'neg abs sign floor ceil round trunc frac'.split()

UNARY = {op: _unary(op, True) for op in FLOAT_UNARY} | {op: _unary(op, False) for op in ANY_UNARY}
globals().update(UNARY)
UNARY_ALIASES = {
    'negative': 'neg', 'absolute': 'abs', 'fix': 'trunc', 'arcsin': 'asin', 'arccos': 'acos', 'arctan': 'atan', 'arcsinh': 'asinh', 'arccosh': 'acosh', 'arctanh': 'atanh', 'sgn': 'sign',
}  # fmt: skip
_round = UNARY['round']


def round_(input, *, decimals=0):
    if decimals == 0:
        return _round(input)
    scale = 10.0**decimals
    return div(_round(mul(input, scale)), scale)


def positive(input):
    return input


def square(input):
    return pow_(input, 2)


def deg2rad(input):
    return mul(as_float(input), math.pi / 180)


def rad2deg(input):
    return mul(as_float(input), 180 / math.pi)


def isnan(input):
    return apply('isnan', input, dtype=bool_)


def isinf(input):
    return apply('isinf', input, dtype=bool_)


def isfinite(input):
    return apply('isfinite', input, dtype=bool_)


def logical_not(input):
    return apply('logical_not', input, dtype=bool_)


def bitwise_not(input):
    if input.dtype is bool_:
        return logical_not(input)
    if input.dtype.category == 2:
        raise NotImplementedError(f'"bitwise_not" not implemented for {input.dtype!r}')
    # All bits are ones in -1, and in the largest value of a type without a sign.
    return bitwise_xor(input, 255 if input.dtype.name == 'uint8' else -1)


# -- two operands ----------------------------------------------------------------------------------------------------

COMMUTATIVE = {'add', 'mul', 'minimum', 'maximum', 'eq', 'ne', 'bitwise_and', 'bitwise_or', 'bitwise_xor'}
COMPARISONS = {'eq', 'ne', 'lt', 'le', 'gt', 'ge'}


def _binary_node(op, a, b, attributes, dtype, out):
    """Both operands promoted to dtype; a zero-dimensional constant or a number becomes `other`. Needs one tensor."""
    shape = broadcast_shape(*[x.shape for x in (a, b) if isinstance(x, Tensor)])
    table = op + ('_' + attributes['rounding'] if attributes.get('rounding') else '')
    spec = lambda x: (x._constant(), tuple(x.shape)) if isinstance(x, Tensor) else ([x], ())
    known = _constant.binary(table, *spec(a), *spec(b), shape, out)
    for x, y, reverse in ((a, b, False), (b, a, True)):
        if not isinstance(x, Tensor):
            continue
        other = y
        if isinstance(y, Tensor):
            if y.ndim or y._constant() is None or (x.ndim == 0 and x._constant() is not None and reverse):
                continue
            other = y._constant()[0]
        if dtype.category == 2:
            other = float(other)
        if dtype is bool_ or tuple(x.shape) != shape:
            break
        x = cast(x, dtype)
        at = {**attributes, 'other': scalar(other), 'reverse': reverse and op not in COMMUTATIVE}
        return emit(op, [x], at, (shape, out), strides=_layout(shape, [x]), known=known)
    make = lambda v: v if isinstance(v, Tensor) else constant(v, dtype)
    a, b = cast(make(a), dtype), cast(make(b), dtype)
    return emit(op, [a, b], attributes, (shape, out), strides=_layout(shape, [a, b]), known=known)


def binary(op, a, b, attributes=None, dtype=None):
    """A binary pointwise operator on tensors and numbers, with PyTorch's promotion."""
    for x in (a, b):
        if not isinstance(x, Tensor) and not _is_number(x):
            raise TypeError(f"unsupported operand type(s) for {op}: '{type(a).__name__}' and '{type(b).__name__}'")
    a, b = [x if isinstance(x, Tensor) else _number(x) for x in (a, b)]
    if not isinstance(a, Tensor) and not isinstance(b, Tensor):
        a = constant(a, result_type([a]))
    dtype = dtype or result_type([a, b])
    out = bool_ if op in COMPARISONS else dtype
    return _binary_node(op, a, b, attributes or {}, dtype, out)


def _binary(op, floats=False):
    def f(input, other, *, out=None):
        if out is not None:
            raise unsupported(f'out= of torch.{op}')
        dtype = result_type([input, other])
        return binary(op, input, other, dtype=dtype if dtype.category == 2 or not floats else get_default_dtype())

    f.__name__ = op
    return f


minimum, maximum = _binary('minimum'), _binary('maximum')
_mul = _binary('mul')
eq, ne, lt, le, gt, ge = [_binary(op) for op in ('eq', 'ne', 'lt', 'le', 'gt', 'ge')]
atan2, remainder, fmod = _binary('atan2', True), _binary('remainder'), _binary('fmod')
COMPARISON_FUNCTIONS = {
    'eq': eq,
    'ne': ne,
    'lt': lt,
    'le': le,
    'gt': gt,
    'ge': ge,
    'not_equal': ne,
    'less': lt,
    'less_equal': le,
    'greater': gt,
    'greater_equal': ge,
}


def _scaled(op):
    def f(input, other, *, alpha=1, out=None):
        if out is not None:
            raise unsupported(f'out= of torch.{op}')
        if alpha != 1:
            other = mul(other, alpha) if isinstance(other, Tensor) else other * alpha
        if op == 'sub' and any(isinstance(x, Tensor) and x.dtype is bool_ for x in (input, other)):
            raise RuntimeError(
                'Subtraction, the `-` operator, with a bool tensor is not supported. Use `~` or logical_not() instead.'
            )
        if op == 'add' and result_type([input, other]) is bool_:
            return logical('logical_or', input, other)
        return binary(op, input, other)

    f.__name__ = op
    return f


add, sub = _scaled('add'), _scaled('sub')


def mul(input, other, *, out=None):
    if result_type([input, other]) is bool_:
        return logical('logical_and', input, other)
    return _mul(input, other, out=out)


def rsub(input, other, *, alpha=1):
    return sub(other, input, alpha=alpha)


def div(input, other, *, rounding_mode=None, out=None):
    dtype = result_type([input, other])
    if rounding_mode not in (None, 'floor', 'trunc'):
        raise RuntimeError(
            f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '{rounding_mode}'"
        )
    if rounding_mode is None and dtype.category != 2:
        dtype = get_default_dtype()
    return binary('div', input, other, {'rounding': rounding_mode}, dtype)


def true_divide(input, other):
    return div(input, other)


def floor_divide(input, other):
    return div(input, other, rounding_mode='floor')


def pow_(input, exponent, *, out=None):
    return binary('pow', input, exponent)


def logical(op, a, b):
    """logical_and/or/xor: operands of any type; numbers become bool constants."""
    truth = lambda x: x if isinstance(x, Tensor) else constant(bool(x), bool_)
    a, b = truth(a), truth(b)
    shape = broadcast_shape(a.shape, b.shape)
    known = _constant.binary(op, a._constant(), tuple(a.shape), b._constant(), tuple(b.shape), shape, bool_)
    return emit(op, [a, b], {}, (shape, bool_), known=known)


def _logical(op):
    def f(input, other):
        return logical(op, input, other)

    f.__name__ = op
    return f


logical_and, logical_or, logical_xor = _logical('logical_and'), _logical('logical_or'), _logical('logical_xor')


def _bitwise(kind):
    def f(input, other):
        dtype = result_type([input, other])
        if dtype is bool_:
            return logical('logical_' + kind, input, other)
        if dtype.category == 2:
            raise NotImplementedError(f'"bitwise_{kind}" not implemented for {dtype!r}')
        return binary('bitwise_' + kind, input, other)

    f.__name__ = 'bitwise_' + kind
    return f


bitwise_and, bitwise_or, bitwise_xor = _bitwise('and'), _bitwise('or'), _bitwise('xor')

MOST_SHIFTED = {'uint8': 7, 'int8': 6, 'int16': 14, 'int32': 30, 'int64': 62}


def _shift(direction, by_power):
    """A shift by a number of bits, as the product with a power of two, or the floor of the quotient."""

    def f(input, other):
        if isinstance(other, Tensor) or not isinstance(input, Tensor):
            raise unsupported(f'a {direction} shift by a tensor', 'shift by a number, or multiply by a power of two')
        dtype = result_type([input, other])
        if dtype.name not in MOST_SHIFTED:
            raise NotImplementedError(f'"{direction}shift" not implemented for {dtype!r}')
        if not 0 <= other <= MOST_SHIFTED[dtype.name]:
            raise unsupported(f'a {direction} shift of {dtype!r} by {other} bits')
        return by_power(input, 2 ** int(other))

    f.__name__ = f'bitwise_{direction}_shift'
    return f


bitwise_left_shift, bitwise_right_shift = _shift('left', mul), _shift('right', floor_divide)


def where(condition, input=None, other=None):
    if input is None:
        raise unsupported('torch.where with one argument', 'the size of the result would depend on values')
    dtype = result_type([input, other])
    make = lambda x: cast(x, dtype) if isinstance(x, Tensor) else constant(_number(x), dtype)
    if condition.dtype is not bool_:
        raise RuntimeError(
            f'where expected condition to be a boolean tensor, but got a tensor with dtype {condition.dtype!r}'
        )
    a, b = make(input), make(other)
    return emit('where', [condition, a, b], {}, (broadcast_shape(condition.shape, a.shape, b.shape), dtype))


def masked_fill(input, mask, value):
    if mask.dtype is not bool_:
        raise RuntimeError(f'masked_fill_ only supports boolean masks, but got mask with dtype {mask.dtype!r}')
    if isinstance(value, Tensor):
        if value._constant() is None or value.ndim:
            return where(mask, cast(value, input.dtype), input)
        value = value.item()
    shape = broadcast_shape(input.shape, mask.shape)
    x = input if shape == tuple(input.shape) else expand(input, shape)
    return emit('masked_fill', [x, mask], {'value': scalar(value)}, (shape, x.dtype), strides=_layout(shape, [x]))


def clamp(input, min=None, max=None, *, out=None):
    if min is None and max is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    number = lambda v: v.item() if isinstance(v, Tensor) and v.ndim == 0 and v._constant() is not None else v
    low, high = number(min), number(max)
    if isinstance(low, Tensor) or isinstance(high, Tensor):
        x = input
        if low is not None:
            x = maximum(x, low) if isinstance(low, Tensor) else clamp(x, min=low)
        return x if high is None else (minimum(x, high) if isinstance(high, Tensor) else clamp(x, max=high))
    x = cast(input, result_type([input] + [v for v in (low, high) if v is not None]))
    return apply('clamp', x, {'min': scalar(low), 'max': scalar(high)})


def clamp_min(input, min):
    return clamp(input, min=min)


def clamp_max(input, max):
    return clamp(input, max=max)


def lerp(input, end, weight):
    return add(input, mul(sub(end, input), weight))


def addcmul(input, tensor1, tensor2, *, value=1):
    return add(input, mul(tensor1, tensor2), alpha=value)


def addcdiv(input, tensor1, tensor2, *, value=1):
    return add(input, div(tensor1, tensor2), alpha=value)


def nan_to_num(input, nan=0.0, posinf=None, neginf=None):
    from ._dtypes import finfo

    top, bottom = (
        finfo(input.dtype).max if posinf is None else posinf,
        finfo(input.dtype).min if neginf is None else neginf,
    )
    x = masked_fill(input, isnan(input), nan)
    x = masked_fill(x, eq(input, math.inf), top)
    return masked_fill(x, eq(input, -math.inf), bottom)


def logaddexp(input, other):
    """max + log1p(exp(-|difference|))"""
    return add(maximum(input, other), UNARY['log1p'](UNARY['exp'](UNARY['neg'](UNARY['abs'](sub(input, other))))))


def sinc(input):
    x = mul(input, math.pi)
    return where(eq(input, 0), 1.0, div(UNARY['sin'](x), x))


def heaviside(input, values):
    return where(eq(input, 0), values, cast(gt(input, 0), input.dtype))


def xlogy(input, other):
    return where(eq(input, 0), 0.0, mul(input, UNARY['log'](other)))


# -- activations (torch.nn.functional's signatures) ------------------------------------------------------------------


def written(x, result, inplace):
    """The result, written into x when inplace."""
    return x._write(result) if inplace else result


def _activation(op, floats=True):
    def f(input, inplace=False):
        return written(input, apply(op, as_float(input) if floats else input), inplace)

    f.__name__ = op
    return f


relu, selu, silu, mish = _activation('relu', False), _activation('selu'), _activation('silu'), _activation('mish')
hardsigmoid, hardswish = _activation('hardsigmoid'), _activation('hardswish')


def logsigmoid(input):
    return apply('logsigmoid', as_float(input))


def softsign(input):
    return apply('softsign', as_float(input))


def tanhshrink(input):
    return sub(input, UNARY['tanh'](input))


def relu6(input, inplace=False):
    return hardtanh(input, 0.0, 6.0, inplace)


def hardtanh(input, min_val=-1.0, max_val=1.0, inplace=False):
    return written(input, apply('hardtanh', input, {'min_val': scalar(min_val), 'max_val': scalar(max_val)}), inplace)


def leaky_relu(input, negative_slope=0.01, inplace=False):
    return written(input, apply('leaky_relu', input, {'negative_slope': scalar(negative_slope)}), inplace)


def elu(input, alpha=1.0, inplace=False):
    return written(input, apply('elu', input, {'alpha': scalar(alpha)}), inplace)


def celu(input, alpha=1.0, inplace=False):
    return written(input, apply('celu', input, {'alpha': scalar(alpha)}), inplace)


def gelu(input, approximate='none'):
    if approximate not in ('none', 'tanh'):
        raise RuntimeError('approximate argument must be either none or tanh.')
    return apply('gelu', input, {'approximate': approximate})


def softplus(input, beta=1.0, threshold=20.0):
    return apply('softplus', input, {'beta': scalar(beta), 'threshold': scalar(threshold)})


def softshrink(input, lambd=0.5):
    return apply('softshrink', input, {'lambd': scalar(lambd)})


def hardshrink(input, lambd=0.5):
    return apply('hardshrink', input, {'lambd': scalar(lambd)})


def threshold(input, threshold, value, inplace=False):
    return written(input, where(gt(input, threshold), input, value), inplace)


def prelu(input, weight):
    if weight.numel() != 1:
        from ._views import copy_reshape

        weight = copy_reshape(weight, (weight.numel(),) + (1,) * (input.ndim - 2))
    return where(gt(input, 0), input, mul(weight, input))


def glu(input, dim=-1):
    from ._views import chunk

    if input.shape[dim] % 2:
        raise RuntimeError(f'Halving dimension must be even, but dimension {dim} is size {input.shape[dim]}')
    a, b = chunk(input, 2, dim)
    return mul(a, UNARY['sigmoid'](b))


def count_cast(x):
    """Sums of bools and integers are taken in int64."""
    return x if x.dtype.category == 2 else cast(x, int64)
