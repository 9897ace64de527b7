"""Creation functions: constants, ranges and random draws. A draw is recorded, never made."""

import math
import numbers

from . import _constant
from ._dtypes import bool_, get_default_dtype, int64, of_scalar, resolve
from ._record import plain, scalar, unsupported
from ._layout import preserve_format, row_major
from ._tensor import Tensor, drawn, wanted_strides


def _shape(size):
    if len(size) == 1 and isinstance(size[0], (tuple, list)):
        size = size[0]
    shape = tuple(int(n) for n in size)
    if any(n < 0 for n in shape):
        raise RuntimeError(f'Trying to create tensor with negative dimension {min(shape)}: {list(shape)}')
    return shape


def _finish(t, requires_grad, out=None):
    if out is not None:
        raise unsupported('out=')
    t.requires_grad = bool(requires_grad)
    return t


def _filled(shape, value, dtype, strides=None):
    dtype = resolve(dtype)
    value = _constant.rounded([value], dtype)[0]
    known = [value] * math.prod(shape) if math.prod(shape) <= _constant.LIMIT else None
    return drawn(shape, dtype, {'kind': 'constant', 'value': scalar(value)}, known, strides)


def zeros(
    *size, out=None, dtype=None, layout=None, device=None, pin_memory=False, requires_grad=False, names=None, **kw
):
    size = (kw.pop('size'),) if 'size' in kw else size
    return _finish(_filled(_shape(size), 0, dtype or get_default_dtype()), requires_grad, out)


def ones(
    *size, out=None, dtype=None, layout=None, device=None, pin_memory=False, requires_grad=False, names=None, **kw
):
    size = (kw.pop('size'),) if 'size' in kw else size
    return _finish(_filled(_shape(size), 1, dtype or get_default_dtype()), requires_grad, out)


def empty(
    *size,
    out=None,
    dtype=None,
    layout=None,
    device=None,
    pin_memory=False,
    requires_grad=False,
    memory_format=None,
    **kw,
):
    """Uninitialised memory: its values are whatever was there, so nothing may be computed from them before they are written."""
    size = (kw.pop('size'),) if 'size' in kw else size
    d = resolve(dtype or get_default_dtype())
    shape = _shape(size)
    strides = wanted_strides(memory_format, shape, row_major(shape))
    return _finish(drawn(shape, d, {'kind': 'uninitialised'}, strides=strides), requires_grad, out)


def full(size, fill_value, *, out=None, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False):
    value = fill_value.item() if isinstance(fill_value, Tensor) else fill_value
    return _finish(_filled(_shape((size,)), value, dtype or of_scalar(value)), requires_grad, out)


def _like(input, memory_format):
    return wanted_strides(memory_format or preserve_format, input.shape, input._strides)


def zeros_like(input, *, dtype=None, layout=None, device=None, requires_grad=False, memory_format=None):
    return _finish(_filled(input.shape, 0, dtype or input.dtype, _like(input, memory_format)), requires_grad)


def ones_like(input, *, dtype=None, layout=None, device=None, requires_grad=False, memory_format=None):
    return _finish(_filled(input.shape, 1, dtype or input.dtype, _like(input, memory_format)), requires_grad)


def full_like(input, fill_value, *, dtype=None, layout=None, device=None, requires_grad=False, memory_format=None):
    return _finish(_filled(input.shape, fill_value, dtype or input.dtype, _like(input, memory_format)), requires_grad)


def empty_like(input, *, dtype=None, layout=None, device=None, requires_grad=False, memory_format=None):
    made = drawn(input.shape, resolve(dtype or input.dtype), {'kind': 'uninitialised'}, strides=_like(input, memory_format))
    return _finish(made, requires_grad)


def _new(maker):
    def method(self, *size, dtype=None, device=None, requires_grad=False, layout=None, pin_memory=False):
        return maker(*size, dtype=dtype or self.dtype, requires_grad=requires_grad)

    method.__name__ = 'new_' + maker.__name__
    return method


new_zeros, new_ones, new_empty = _new(zeros), _new(ones), _new(empty)


def new_full(self, size, fill_value, *, dtype=None, device=None, requires_grad=False):
    return full(size, fill_value, dtype=dtype or self.dtype, requires_grad=requires_grad)


def new_tensor(self, data, *, dtype=None, device=None, requires_grad=False):
    return tensor(data, dtype=dtype or self.dtype, requires_grad=requires_grad)


def eye(n, m=None, *, out=None, dtype=None, layout=None, device=None, requires_grad=False):
    from ._pointwise import cast, eq
    from ._views import unsqueeze

    rows, columns = arange(n), arange(n if m is None else m)
    return _finish(
        cast(eq(unsqueeze(rows, 1), unsqueeze(columns, 0)), dtype or get_default_dtype()), requires_grad, out
    )


def arange(
    start=0, end=None, step=1, *, out=None, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False
):
    start, end, step = [v.item() if isinstance(v, Tensor) else v for v in (start, end, step)]
    if end is None:
        start, end = 0, start
    if dtype is None:
        dtype = int64 if all(isinstance(v, int) for v in (start, end, step)) else get_default_dtype()
    dtype = resolve(dtype)
    if step == 0 or (end - start) * step < 0:
        raise RuntimeError(
            'upper bound and lower bound inconsistent with step sign' if step else 'step must be nonzero'
        )
    n = math.ceil((end - start) / step)
    known = _constant.rounded([start + i * step for i in range(n)], dtype) if n <= _constant.LIMIT else None
    return _finish(
        drawn((n,), dtype, {'kind': 'range', 'start': plain(start), 'step': plain(step)}, known), requires_grad, out
    )


def linspace(start, end, steps, *, out=None, dtype=None, layout=None, device=None, requires_grad=False):
    dtype = resolve(dtype or get_default_dtype())
    step = (end - start) / (steps - 1) if steps > 1 else 0.0
    # ATen counts the second half back from the end, so that both ends are exact.
    values = (
        [start + i * step if i < steps // 2 else end - (steps - 1 - i) * step for i in range(steps)]
        if steps != 1
        else [start]
    )
    if steps > _constant.LIMIT:
        return _finish(
            drawn((steps,), dtype, {'kind': 'range', 'start': plain(float(start)), 'step': plain(step)}),
            requires_grad,
            out,
        )
    known = _constant.rounded(values, dtype)
    return _finish(drawn((steps,), dtype, {'kind': 'values', 'values': plain(known)}, known), requires_grad, out)


def tensor(data, *, dtype=None, device=None, requires_grad=False, pin_memory=False):
    """torch.tensor of Python numbers and nested lists; of a traced tensor: a copy."""
    if isinstance(data, Tensor):
        return _finish(data.clone() if dtype is None else data.to(dtype).clone(), requires_grad)
    shape, flat = [], []

    def walk(x, depth):
        if isinstance(x, Tensor):
            x = x.item() if x.ndim == 0 else x.tolist()
        if isinstance(x, (list, tuple, range)):
            if len(shape) == depth:
                shape.append(len(x))
            if shape[depth] != len(x):
                raise ValueError(f'expected sequence of length {shape[depth]} at dim {depth} (got {len(x)})')
            for y in x:
                walk(y, depth + 1)
        elif isinstance(x, numbers.Real):
            if depth != len(shape):
                raise ValueError('expected a sequence at every element of this dimension')
            flat.append(x if isinstance(x, (bool, int)) else float(x))
        else:
            raise unsupported(f'torch.tensor of a {type(x).__name__}')

    walk(data, 0)
    if dtype is None:
        kinds = [of_scalar(v) for v in flat]
        dtype = max(kinds, key=lambda d: d.category) if kinds else get_default_dtype()
    dtype = resolve(dtype)
    known = _constant.rounded(flat, dtype)
    if len(set(known)) == 1 and not shape:
        draw = {'kind': 'constant', 'value': scalar(known[0])}
    else:
        draw = {'kind': 'values', 'values': [scalar(v) for v in known]}
    return _finish(drawn(tuple(shape), dtype, draw, known), requires_grad)


def as_tensor(data, dtype=None, device=None):
    if isinstance(data, Tensor):
        return data if dtype in (None, data.dtype) else data.to(dtype)
    return tensor(data, dtype=dtype)


# -- random ----------------------------------------------------------------------------------------------------------


def _random(size, kw, draw, dtype, requires_grad, generator=None, out=None):
    size = (kw['size'],) if 'size' in kw else size
    return _finish(drawn(_shape(size), resolve(dtype), draw), requires_grad, out)


def rand(
    *size, generator=None, out=None, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False, **kw
):
    return _random(
        size, kw, {'kind': 'uniform', 'low': 0, 'high': 1}, dtype or get_default_dtype(), requires_grad, out=out
    )


def randn(
    *size, generator=None, out=None, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False, **kw
):
    return _random(
        size, kw, {'kind': 'normal', 'mean': 0, 'std': 1}, dtype or get_default_dtype(), requires_grad, out=out
    )


def rand_like(input, *, dtype=None, layout=None, device=None, requires_grad=False, memory_format=None):
    return rand(input.shape, dtype=dtype or input.dtype, requires_grad=requires_grad)


def randn_like(input, *, dtype=None, layout=None, device=None, requires_grad=False, memory_format=None):
    return randn(input.shape, dtype=dtype or input.dtype, requires_grad=requires_grad)


def randint(
    low=0, high=None, size=None, *, generator=None, out=None, dtype=None, layout=None, device=None, requires_grad=False
):
    if size is None:  # randint(high, size)
        low, high, size = (0, low, high) if isinstance(high, (tuple, list)) else (low, high, size)
    if high is None:  # randint(high, size=size)
        low, high = 0, low
    if size is None or low >= high:
        raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
    return _random(
        (size,), {}, {'kind': 'integer', 'low': int(low), 'high': int(high)}, dtype or int64, requires_grad, out=out
    )


def randint_like(
    input, low=0, high=None, *, dtype=None, device=None, layout=None, requires_grad=False, memory_format=None
):
    low, high = (0, low) if high is None else (low, high)
    return randint(low, high, input.shape, dtype=dtype or input.dtype)


def randperm(
    n, *, generator=None, out=None, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False
):
    return _finish(drawn((n,), dtype or int64, {'kind': 'permutation'}), requires_grad, out)


def normal(mean=0.0, std=1.0, size=None, *, generator=None, out=None, dtype=None, device=None, requires_grad=False):
    if isinstance(mean, Tensor) or isinstance(std, Tensor):
        shape = (mean if isinstance(mean, Tensor) else std).shape
        return randn(shape) * std + mean
    return _random(
        (size,),
        {},
        {'kind': 'normal', 'mean': float(mean), 'std': float(std)},
        dtype or get_default_dtype(),
        requires_grad,
        out=out,
    )


def bernoulli(input, p=None, *, generator=None, out=None):
    probability = p if p is not None else input
    return (rand(input.shape, dtype=input.dtype) < probability).to(input.dtype)


# -- filling in place (Tensor methods and torch.nn.init) -------------------------------------------------------------


def _refill(t, draw):
    return t._write(drawn(t.shape, t.dtype, draw))


def uniform_(self, a=0.0, b=1.0, **kw):
    a, b = kw.get('from', a), kw.get('to', b)
    return _refill(self, {'kind': 'uniform', 'low': float(a), 'high': float(b)})


def normal_(self, mean=0.0, std=1.0, *, generator=None):
    return _refill(self, {'kind': 'normal', 'mean': float(mean), 'std': float(std)})


def random_(self, a=0, b=None, *, generator=None):
    a, b = (0, a) if b is None else (a, b)
    return _refill(self, {'kind': 'integer', 'low': int(a), 'high': int(b)})


def bernoulli_(self, p=0.5, *, generator=None):
    return self._write((rand(self.shape) < p).to(self.dtype))


def fill_(self, value):
    value = value.item() if isinstance(value, Tensor) else value
    return self._write(_filled(self.shape, value, self.dtype))


def zero_(self):
    return fill_(self, 0)
