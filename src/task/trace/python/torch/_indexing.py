"""Tensor.__getitem__ and __setitem__: integers, slices, None, ..., index tensors and masks."""

import math

from ._dtypes import bool_, int64
from ._record import unsupported
from ._tensor import Tensor, alias, constant
from ._views import broadcast_shape, copy_reshape, expand, index_select, permute, select, slice_, unsqueeze


def _bounds(key, n):
    """A slice's start, end and step within a dimension of size n."""
    as_int = lambda v: None if v is None else v.__index__()
    start, end, step = slice(as_int(key.start), as_int(key.stop), as_int(key.step)).indices(n)
    if step <= 0:
        raise ValueError('step must be greater than zero')
    return start, max(start, end), step


def _basic(x, key):
    """Apply the basic parts of a key (integers, slices, None, ...). Returns the view and {dim: index tensor} of the rest."""
    from ._create import tensor as make

    key = list(key) if isinstance(key, tuple) else [key]
    key = [make(k) if isinstance(k, (list, range)) else k for k in key]
    spans = lambda k: (
        0
        if k is None or k is Ellipsis or isinstance(k, bool)
        else (k.ndim if isinstance(k, Tensor) and k.dtype is bool_ else 1)
    )
    used = sum(spans(k) for k in key)
    if used > x.ndim:
        raise IndexError(f'too many indices for tensor of dimension {x.ndim}')
    dots = [i for i, k in enumerate(key) if k is Ellipsis]
    if len(dots) > 1:
        raise IndexError('an index can only have a single ellipsis')
    fill = [slice(None)] * (x.ndim - used)
    key = key[: dots[0]] + fill + key[dots[0] + 1 :] if dots else key + fill
    d, rest = 0, {}
    for k in key:
        if k is None:
            x = unsqueeze(x, d)
            d += 1
        elif isinstance(k, bool):
            raise unsupported('indexing with True or False')
        elif isinstance(k, slice):
            start, end, step = _bounds(k, x.shape[d])
            x = slice_(x, d, start, end, step) if (start, end, step) != (0, x.shape[d], 1) else x
            d += 1
        elif isinstance(k, Tensor) and k.dtype is bool_:
            rest[d] = k
            d += k.ndim
        elif isinstance(k, Tensor) and not (k.ndim == 0 and k._constant() is not None):
            if k.dtype.category != 1:
                raise IndexError('tensors used as indices must be long, int, byte or bool tensors')
            rest[d] = k
            d += 1
        elif isinstance(k, (int, Tensor)) or hasattr(k, '__index__'):
            x = select(x, d, k.__index__())
        else:
            raise TypeError(
                f'only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices (got {type(k).__name__})'
            )
    return x, rest


def getitem(x, key):
    v, rest = _basic(x, key)
    if not rest:
        return alias(x, None, None, tuple(x.shape), x._strides, lambda parent, new: new) if v is x else v
    if any(k.dtype is bool_ for k in rest.values()):
        raise unsupported('indexing with a bool mask', 'the size of the result would depend on values; use torch.where')
    return _take(v, rest)


def _take(x, rest):
    """Advanced indexing with integer tensors on neighbouring dimensions (others are brought to the front, as PyTorch does)."""
    from ._pointwise import add, cast, mul, remainder

    dims = sorted(rest)
    if dims != list(range(dims[0], dims[-1] + 1)):
        order = dims + [d for d in range(x.ndim) if d not in dims]
        x, rest, dims = permute(x, order), {i: rest[d] for i, d in enumerate(dims)}, list(range(len(dims)))
    first, last = dims[0], dims[-1]
    shape = broadcast_shape(*[rest[d].shape for d in dims])
    flat = cast(rest[first], int64)
    if len(dims) > 1:
        flat = remainder(flat, x.shape[first])
        for d in dims[1:]:
            flat = add(mul(flat, x.shape[d]), remainder(cast(rest[d], int64), x.shape[d]))
    run = math.prod(x.shape[first : last + 1])
    merged = copy_reshape(x, tuple(x.shape[:first]) + (run,) + tuple(x.shape[last + 1 :]))
    picked = index_select(merged, first, copy_reshape(flat, (math.prod(shape),)))
    return copy_reshape(picked, tuple(x.shape[:first]) + shape + tuple(x.shape[last + 1 :]))


def setitem(x, key, value):
    from ._create import tensor as make
    from ._pointwise import cast, masked_fill, where

    v, rest = _basic(x, key)
    if not rest:
        if not isinstance(value, Tensor):
            value = make(value, dtype=x.dtype) if isinstance(value, (list, tuple)) else constant(value, x.dtype)
        while value.ndim > v.ndim and value.shape[0] == 1:
            value = select(value, 0, 0)
        v._write(expand(cast(value, x.dtype), v.shape)) if v is not x else x.copy_(value)
        return
    (d, mask), *others = rest.items()
    if others or mask.dtype is not bool_:
        raise unsupported('assignment through an index tensor', 'use scatter or index_select')
    mask = copy_reshape(mask, tuple(mask.shape) + (1,) * (v.ndim - d - mask.ndim))
    if isinstance(value, Tensor) and value.ndim:
        raise unsupported('assignment of a tensor through a bool mask', 'use torch.where')
    v._write(where(mask, cast(value, v.dtype), v) if isinstance(value, Tensor) else masked_fill(v, mask, value))
