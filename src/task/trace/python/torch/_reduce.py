"""Reductions, and operators along one dimension: softmax, scans, sorting."""

import functools
import math

from . import _constant
from ._dtypes import bool_, int64
from ._pointwise import COMPARISON_FUNCTIONS, UNARY, add, as_float, cast, clamp, count_cast, div, isnan, logical_or, mul, ne, sub, where
from ._record import plain, unsupported
from ._tensor import Tensor, check_dim, drawn, emit
from ._views import copy_reshape, expand, select


def numpy_names(f):
    """PyTorch also takes NumPy's `axis` and `keepdims`."""

    @functools.wraps(f)
    def g(*args, **kw):
        for theirs, ours in (('axis', 'dim'), ('keepdims', 'keepdim')):
            if theirs in kw:
                kw[ours] = kw.pop(theirs)
        if kw.pop('out', None) is not None:
            raise unsupported(f'out= of torch.{f.__name__}')
        return f(*args, **kw)

    return g


def _dims(x, dim):
    """dim as given (None, int, list) as a sorted list without repeats."""
    if dim is None or (isinstance(dim, (tuple, list)) and len(dim) == 0):
        return list(range(x.ndim))
    dims = [check_dim(d, x.ndim) for d in (dim if isinstance(dim, (tuple, list)) else [dim])]
    if len(set(dims)) != len(dims):
        raise RuntimeError(f'dim {dims[0]} appears multiple times in the list of dims')
    return sorted(dims) if x.ndim else []


def _reduced(shape, dims, keepdim):
    return tuple(1 if d in dims else n for d, n in enumerate(shape) if keepdim or d not in dims)


def _known_total(op, x, dims, dtype):
    """Values of a full reduction of a known tensor, for `.item()` and conditions."""
    f = {'sum': math.fsum, 'max': max, 'min': min, 'any': any, 'all': all}.get(op)
    known = x._constant()
    if f is None or not known or len(dims) != x.ndim:
        return None
    return _constant.rounded([f(known) if op != 'sum' or dtype.category == 2 else sum(known)], dtype)


def reduce(op, x, dim, keepdim, attributes=None, dtype=None):
    dims = _dims(x, dim)
    dtype = dtype or x.dtype
    at = {**(attributes or {}), 'dims': dims, 'keepdim': bool(keepdim)}
    if op in ('max', 'min'):
        at.setdefault('ties', 'share')
    return emit(op, [x], at, (_reduced(x.shape, dims, keepdim), dtype), known=_known_total(op, x, dims, dtype))


def _non_empty(op, x, dim):
    if any(x.shape[d] == 0 for d in _dims(x, dim)):
        raise RuntimeError(f'{op}(): Expected reduction dim to have non-zero size.')


@numpy_names
def sum(input, dim=None, keepdim=False, *, dtype=None):
    return reduce('sum', cast(input, dtype) if dtype else count_cast(input), dim, keepdim)


@numpy_names
def nansum(input, dim=None, keepdim=False, *, dtype=None):
    from ._pointwise import isnan, masked_fill

    return sum(masked_fill(input, isnan(input), 0.0), dim, keepdim, dtype=dtype)


@numpy_names
def mean(input, dim=None, keepdim=False, *, dtype=None):
    x = cast(input, dtype) if dtype else input
    if x.dtype.category != 2:
        raise RuntimeError(
            f'mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. Got: {x.dtype!r}'
        )
    return reduce('mean', x, dim, keepdim)


@numpy_names
def prod(input, dim=None, keepdim=False, *, dtype=None):
    return reduce('prod', cast(input, dtype) if dtype else count_cast(input), dim, keepdim)


@numpy_names
def logsumexp(input, dim, keepdim=False):
    return reduce('logsumexp', as_float(input), dim, keepdim)


@numpy_names
def amax(input, dim=(), keepdim=False):
    return reduce('max', input, dim, keepdim)


@numpy_names
def amin(input, dim=(), keepdim=False):
    return reduce('min', input, dim, keepdim)


def aminmax(input, *, dim=None, keepdim=False):
    return Pair(amin(input, dim, keepdim), amax(input, dim, keepdim))


class Pair(tuple):
    """torch.return_types.max and its like: (values, indices)."""

    def __new__(cls, values, indices):
        return tuple.__new__(cls, (values, indices))

    values = property(lambda self: self[0])
    indices = property(lambda self: self[1])
    min = property(lambda self: self[0])
    max = property(lambda self: self[1])


def _extreme(op):
    @numpy_names
    def f(input, dim=None, keepdim=False, *, other=None):
        if isinstance(dim, Tensor) or other is not None:
            from ._pointwise import maximum, minimum

            return (maximum if op == 'max' else minimum)(input, dim if other is None else other)
        _non_empty(op, input, dim)
        if dim is None:
            return reduce(op, input, None, False)
        # Along one dimension there is an index, and the gradient goes there; elsewhere equals share it.
        return Pair(reduce(op, input, dim, keepdim, {'ties': 'first'}), _arg('arg' + op, input, dim, keepdim))

    f.__name__ = op
    return f


max = _extreme('max')
min = _extreme('min')


def _arg(op, input, dim, keepdim):
    x = input
    if dim is None:
        out = _arg(op, copy_reshape(x, (x.numel(),)), 0, False)
        return copy_reshape(out, (1,) * x.ndim) if keepdim else out
    d = check_dim(dim, x.ndim)
    _non_empty(op, x, d)
    if x.ndim == 0:
        return copy_reshape(_arg(op, copy_reshape(x, (1,)), 0, False), ())
    return emit(op, [x], {'dim': d, 'keepdim': bool(keepdim)}, (_reduced(x.shape, [d], keepdim), int64))


@numpy_names
def argmax(input, dim=None, keepdim=False):
    return _arg('argmax', input, dim, keepdim)


@numpy_names
def argmin(input, dim=None, keepdim=False):
    return _arg('argmin', input, dim, keepdim)


def _spread(op):
    @numpy_names
    def f(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
        if isinstance(dim, bool):  # var(input, unbiased)
            dim, unbiased = None, dim
        if correction is None:
            correction = 1 if unbiased is None or unbiased else 0
        if input.dtype.category != 2:
            raise RuntimeError(f'{op}: only support floating point and complex dtypes')
        return reduce(op, input, dim, keepdim, {'correction': plain(correction)})

    f.__name__ = op
    return f


var, std = _spread('var'), _spread('std')


def var_mean(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    dim_, unbiased = (None, dim) if isinstance(dim, bool) else (dim, unbiased)
    return var(input, dim_, unbiased, keepdim, correction=correction), mean(input, dim_, keepdim)


def std_mean(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    dim_, unbiased = (None, dim) if isinstance(dim, bool) else (dim, unbiased)
    return std(input, dim_, unbiased, keepdim, correction=correction), mean(input, dim_, keepdim)


@numpy_names
def norm(input, p='fro', dim=None, keepdim=False, dtype=None):
    if p in ('fro', None):
        p = 2
    if not isinstance(p, (int, float)):
        raise unsupported(f'torch.norm with p={p!r}')
    return reduce('norm', as_float(cast(input, dtype) if dtype else input), dim, keepdim, {'p': plain(p)})


def vector_norm(x, ord=2, dim=None, keepdim=False, *, dtype=None):
    return norm(x, ord, dim, keepdim, dtype)


def linalg_norm(A, ord=None, dim=None, keepdim=False, *, dtype=None):
    matrix = (dim is None and A.ndim == 2) or (isinstance(dim, (tuple, list)) and len(dim) == 2)
    if ord is not None and ord != 'fro' and matrix:
        raise unsupported(f'torch.linalg.norm of a matrix with ord={ord!r}')
    return norm(A, 2 if ord is None else ord, dim, keepdim, dtype)


def _truth(op):
    @numpy_names
    def f(input, dim=None, keepdim=False):
        return reduce(op, input, dim, keepdim, dtype=bool_)

    f.__name__ = op
    return f


any_, all_ = _truth('any'), _truth('all')


def count_nonzero(input, dim=None):
    return reduce('sum', cast(ne(input, 0), int64), dim, False)


def dist(input, other, p=2):
    return norm(sub(input, other), p)


def normalize(input, p=2.0, dim=1, eps=1e-12, out=None):
    return div(input, expand(clamp(norm(input, p, dim, True), min=eps), input.shape))


def cosine_similarity(x1, x2, dim=1, eps=1e-8):
    """x1/max(|x1|, eps) . x2/max(|x2|, eps), as ATen computes it."""
    a, b = [div(x, clamp(norm(x, 2, dim, True), min=eps)) for x in (as_float(x1), as_float(x2))]
    return sum(mul(a, b), dim)


def pairwise_distance(x1, x2, p=2.0, eps=1e-6, keepdim=False):
    return norm(add(sub(x1, x2), eps), p, -1, keepdim)


def cdist(x1, x2, p=2.0, compute_mode=None):
    from ._views import unsqueeze

    return norm(sub(unsqueeze(x1, -2), unsqueeze(x2, -3)), p, -1)


# -- along one dimension ---------------------------------------------------------------------------------------------


def _soft(op):
    @numpy_names
    def f(input, dim=None, dtype=None, _stacklevel=3):
        if dim is None:  # torch.nn.functional's old default, with its warning
            dim = 0 if input.ndim in (0, 1, 3) else 1
        x = cast(input, dtype) if dtype else input
        if x.dtype.category != 2:
            raise NotImplementedError(f'"{op}_kernel_impl" not implemented for {x.dtype!r}')
        return emit(op, [x], {'dim': check_dim(dim, x.ndim)}, (x.shape, x.dtype))

    f.__name__ = op
    return f


softmax, log_softmax = _soft('softmax'), _soft('log_softmax')


def softmin(input, dim=None, dtype=None, _stacklevel=3):
    return softmax(UNARY['neg'](input), dim, dtype)


def _scan(op, counting=True):
    @numpy_names
    def f(input, dim, *, dtype=None):
        x = cast(input, dtype) if dtype else (count_cast(input) if counting else input)
        return emit(op, [x], {'dim': check_dim(dim, x.ndim)}, (x.shape, x.dtype))

    f.__name__ = op
    return f


cumsum, cumprod, logcumsumexp = _scan('cumsum'), _scan('cumprod'), _scan('logcumsumexp', False)


class _RunningExtreme(tuple):
    """cummax and cummin: (values, indices). The indices are made when they are asked for, of operators that there are."""

    def __new__(cls, input, values, dim, at_least):
        self = tuple.__new__(cls, (values, None))
        self._made = None
        self._make = lambda: _extreme_places(input, values, dim, at_least)
        return self

    values = property(lambda self: self[0])
    indices = property(lambda self: self[1])

    def __getitem__(self, i):
        if i not in (1, -1):
            return tuple.__getitem__(self, i)
        if self._made is None:
            self._made = self._make()
        return self._made

    def __iter__(self):
        return iter((self[0], self[1]))


def _extreme_places(input, values, dim, at_least):
    """The last place so far that holds the running extreme; among NaN the last NaN."""
    if input.ndim == 0:
        return cast(input, int64) * 0
    d = check_dim(dim, input.ndim)
    size = input.shape[d]
    places = drawn((size,), int64, {'kind': 'range', 'start': 0, 'step': 1}, list(range(size)))
    here = at_least(input, values)
    if input.dtype.category == 2:
        here = logical_or(here, isnan(input))
    shape = [size if i == d else 1 for i in range(input.ndim)]
    return _scan('cummax', False)(where(here, copy_reshape(places, shape), 0), d)


def cummax(input, dim):
    return _RunningExtreme(input, _scan('cummax', False)(input, dim), dim, COMPARISON_FUNCTIONS['ge'])


def cummin(input, dim):
    return _RunningExtreme(input, _scan('cummin', False)(input, dim), dim, COMPARISON_FUNCTIONS['le'])


@numpy_names
def sort(input, dim=-1, descending=False, stable=False):
    at = {'dim': check_dim(dim, input.ndim), 'descending': bool(descending), 'stable': bool(stable)}
    return Pair(*emit('sort', [input], at, (input.shape, input.dtype), (input.shape, int64)))


@numpy_names
def argsort(input, dim=-1, descending=False, stable=False):
    return sort(input, dim, descending, stable=stable)[1]


@numpy_names
def topk(input, k, dim=-1, largest=True, sorted=True):
    d = check_dim(dim, input.ndim)
    if k > input.shape[d]:
        raise RuntimeError('selected index k out of range')
    shape = tuple(k if i == d else n for i, n in enumerate(input.shape))
    at = {'k': int(k), 'dim': d, 'largest': bool(largest), 'sorted': bool(sorted)}
    return Pair(*emit('topk', [input], at, (shape, input.dtype), (shape, int64)))


@numpy_names
def median(input, dim=None, keepdim=False):
    """The lower median: element (n-1)//2 of the sorted values."""
    x = copy_reshape(input, (input.numel(),)) if dim is None else input
    d = 0 if dim is None else check_dim(dim, x.ndim)
    middle = (x.shape[d] - 1) // 2
    pair = [select(v, d, middle) for v in sort(x, d)]
    if dim is None:
        return pair[0]
    return Pair(*[v.unsqueeze(d) if keepdim else v for v in pair])


def diff(input, n=1, dim=-1):
    d = check_dim(dim, input.ndim)
    for _ in range(n):
        input = sub(input.narrow(d, 1, input.shape[d] - 1), input.narrow(d, 0, input.shape[d] - 1))
    return input


def trapezoid(y, x=None, *, dx=1.0, dim=-1):
    d = check_dim(dim, y.ndim)
    pair = add(y.narrow(d, 1, y.shape[d] - 1), y.narrow(d, 0, y.shape[d] - 1))
    return sum(mul(pair, diff(x, dim=d if x.ndim > 1 else -1)) if x is not None else mul(pair, dx), d) / 2
