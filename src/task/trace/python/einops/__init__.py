"""einops.rearrange, repeat and reduce as reshape, permute, expand and a reduction."""

import math

from torch import _reduce
from torch._record import unsupported
from torch._views import copy_reshape, expand, permute, reshape, stack


class EinopsError(RuntimeError):
    """A pattern that does not fit the tensor."""


def _parse(side):
    """'b (h w) c ...' -> a list of groups, each a list of names."""
    groups, group = [], None
    for token in side.replace('(', ' ( ').replace(')', ' ) ').split():
        if token == '(':
            group = []
        elif token == ')':
            groups.append(group)
            group = None
        elif group is not None:
            group.append(token)
        else:
            groups.append([] if token == '1' else [token])
    return groups


def _dots(groups, count):
    """Replace the ellipsis by names for the dimensions it stands for."""
    names = [f'...{i}' for i in range(count)]
    out = []
    for g in groups:
        if g == ['...']:
            out += [[n] for n in names]
        else:
            out.append([n for x in g for n in (names if x == '...' else [x])])
    return out


def _sizes(x, left, given):
    """Size of every name on the left side; at most one name a group is inferred."""
    sizes = {k: int(v) for k, v in given.items()}
    if len(left) != x.ndim:
        raise EinopsError(f'the pattern has {len(left)} dimensions, the tensor {x.ndim}')
    for group, n in zip(left, x.shape):
        unknown = [g for g in group if g not in sizes]
        known = math.prod(sizes[g] for g in group if g in sizes)
        if len(unknown) > 1 or (unknown and n % known) or (not unknown and known != n):
            raise EinopsError(f'cannot fit a dimension of size {n} to ({" ".join(group)})')
        if unknown:
            sizes[unknown[0]] = n // known
    return sizes


def _apply(tensor, pattern, given, reduction=None, repeating=False):
    x = stack(tensor) if isinstance(tensor, (list, tuple)) else tensor
    left, _, right = pattern.partition('->')
    left, right = _parse(left), _parse(right)
    extra = x.ndim - sum(g != ['...'] for g in left)
    left, right = _dots(left, extra), _dots(right, extra)
    sizes = _sizes(x, left, given)
    have, want = [n for g in left for n in g], [n for g in right for n in g]
    lost, new = [n for n in have if n not in want], [n for n in want if n not in have]
    if (lost and reduction is None) or (new and not repeating) or any(n not in sizes for n in new):
        raise EinopsError(f'identifiers only on one side of the pattern "{pattern}": {lost + new}')
    x = reshape(x, [sizes[n] for n in have])
    if lost:
        x = getattr(_reduce, reduction)(x, [have.index(n) for n in lost])
        have = [n for n in have if n in want]
    x = permute(x, [have.index(n) for n in want if n in have])
    if new:
        x = expand(copy_reshape(x, [1 if n in new else sizes[n] for n in want]), [sizes[n] for n in want])
    return reshape(x, [math.prod(sizes[n] for n in g) for g in right])


def rearrange(tensor, pattern, **axes_lengths):
    return _apply(tensor, pattern, axes_lengths)


def repeat(tensor, pattern, **axes_lengths):
    return _apply(tensor, pattern, axes_lengths, repeating=True)


def reduce(tensor, pattern, reduction, **axes_lengths):
    if reduction not in ('sum', 'mean', 'max', 'min', 'prod'):
        raise unsupported(f'einops.reduce with {reduction!r}')
    return _apply(tensor, pattern, axes_lengths, {'max': 'amax', 'min': 'amin'}.get(reduction, reduction))


def __getattr__(name):
    if name.startswith('__'):
        raise AttributeError(name)
    raise unsupported(f'einops.{name}')
