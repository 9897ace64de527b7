"""Views and rearrangement: reshape, permute, slices, indexing, concatenation, padding."""

import math

from . import _constant
from ._record import scalar, unsupported
from ._tensor import Tensor, alias, check_dim, constant, emit
from ._dtypes import int64


def _sizes(args):
    """view(2, 3), view((2, 3)) and view(torch.Size) as one tuple of ints."""
    if len(args) == 1 and isinstance(args[0], (tuple, list)):
        args = args[0]
    return tuple(int(a) for a in args)


def _infer(shape, numel):
    """Replace one -1 of a shape."""
    shape = list(shape)
    if shape.count(-1) > 1:
        raise RuntimeError('only one dimension can be inferred')
    known = math.prod(n for n in shape if n != -1)
    if -1 in shape:
        if known == 0 or numel % known:
            raise RuntimeError(f"shape '{shape}' is invalid for input of size {numel}")
        shape[shape.index(-1)] = numel // known
    elif known != numel:
        raise RuntimeError(f"shape '{shape}' is invalid for input of size {numel}")
    if any(n < 0 for n in shape):
        raise RuntimeError(f'invalid shape dimension in {shape}')
    return tuple(shape)


def view_strides(shape, strides, new):
    """Strides of a view of the new shape, or None when only a copy can have it (ATen's computeStride)."""
    numel = math.prod(shape)
    if numel == 0 or not shape:
        return _constant.strides_of(new)
    result, at, chunk_base, size, want = [0] * len(new), len(new) - 1, strides[-1], 1, 1
    for d in range(len(shape) - 1, -1, -1):
        size *= shape[d]
        if d == 0 or (shape[d - 1] != 1 and strides[d - 1] != size * chunk_base):
            while at >= 0 and (want < size or new[at] == 1):
                result[at] = want * chunk_base
                want *= new[at]
                at -= 1
            if want != size:
                return None
            if d > 0:
                chunk_base, size, want = strides[d - 1], 1, 1
    return result if at == -1 else None


def _reshaped(x, shape, strides):
    old = tuple(x.shape)
    if shape == old:
        return alias(x, None, None, shape, x._strides, lambda parent, new: new)
    return alias(x, 'reshape', {'shape': list(shape)}, shape, strides, lambda parent, new: copy_reshape(new, old))


def copy_reshape(x, shape):
    """reshape as a plain node, not an alias."""
    shape = tuple(shape)
    if shape == tuple(x.shape):
        return x
    known = x._constant()
    return emit('reshape', [x], {'shape': list(shape)}, (shape, x.dtype), known=known)


def reshape(input, *shape):
    shape = _infer(_sizes(shape), input.numel())
    strides = view_strides(input.shape, input._strides, shape)
    if strides is None:
        return copy_reshape(input, shape)
    return _reshaped(input, shape, strides)


def view(input, *shape, dtype=None):
    if dtype is not None or (len(shape) == 1 and not isinstance(shape[0], (int, tuple, list, Tensor))):
        raise unsupported('Tensor.view(dtype)')
    shape = _infer(_sizes(shape), input.numel())
    strides = view_strides(input.shape, input._strides, shape)
    if strides is None:
        raise RuntimeError(
            "view size is not compatible with input tensor's size and stride (at least one dimension spans across two contiguous subspaces). Use .reshape(...) instead."
        )
    return _reshaped(input, shape, strides)


def view_as(input, other):
    return view(input, other.shape)


def reshape_as(input, other):
    return reshape(input, other.shape)


def flatten(input, start_dim=0, end_dim=-1):
    if input.ndim == 0:
        return reshape(input, 1)
    a, b = check_dim(start_dim, input.ndim), check_dim(end_dim, input.ndim)
    if a > b:
        raise RuntimeError('flatten() has invalid args: start_dim cannot come after end_dim')
    return reshape(input, input.shape[:a] + (math.prod(input.shape[a : b + 1]),) + input.shape[b + 1 :])


def ravel(input):
    return reshape(input, -1)


def unflatten(input, dim, sizes):
    d = check_dim(dim, input.ndim)
    return view(input, tuple(input.shape[:d]) + _infer(tuple(sizes), input.shape[d]) + tuple(input.shape[d + 1 :]))


def squeeze(input, dim=None):
    if dim is None:
        drop = set(range(input.ndim))
    else:
        drop = {check_dim(d, input.ndim) for d in (dim if isinstance(dim, (tuple, list)) else [dim])}
    keep = [d for d in range(input.ndim) if not (d in drop and input.shape[d] == 1)]
    return _reshaped(input, tuple(input.shape[d] for d in keep), [input._strides[d] for d in keep])


def unsqueeze(input, dim):
    d = check_dim(dim, input.ndim + 1)
    shape, strides = list(input.shape), list(input._strides)
    strides.insert(d, shape[d] * strides[d] if d < len(shape) else 1)
    shape.insert(d, 1)
    return _reshaped(input, tuple(shape), strides)


def permute(input, *dims):
    dims = [check_dim(d, input.ndim) for d in _sizes(dims)]
    if sorted(dims) != list(range(input.ndim)):
        raise RuntimeError(
            f'permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired ordering of dimensions i.e. input.dim() = {input.ndim} is not equal to len(dims) = {len(dims)}'
        )
    if dims == list(range(input.ndim)):
        return alias(input, None, None, tuple(input.shape), input._strides, lambda parent, new: new)
    inverse = sorted(range(len(dims)), key=lambda i: dims[i])
    shape = tuple(input.shape[d] for d in dims)
    return alias(
        input,
        'permute',
        {'dims': dims},
        shape,
        [input._strides[d] for d in dims],
        lambda parent, new: permute(new, inverse),
    )


def transpose(input, dim0, dim1):
    a, b = check_dim(dim0, input.ndim), check_dim(dim1, input.ndim)
    dims = list(range(input.ndim))
    if dims:
        dims[a], dims[b] = dims[b], dims[a]
    return permute(input, dims)


def t(input):
    if input.ndim > 2:
        raise RuntimeError(f't() expects a tensor with <= 2 dimensions, but self is {input.ndim}D')
    return transpose(input, 0, 1) if input.ndim == 2 else permute(input, list(range(input.ndim)))


def movedim(input, source, destination):
    source = [check_dim(d, input.ndim) for d in (source if isinstance(source, (tuple, list)) else [source])]
    destination = [
        check_dim(d, input.ndim) for d in (destination if isinstance(destination, (tuple, list)) else [destination])
    ]
    dims = [None] * input.ndim
    for s, d in zip(source, destination):
        dims[d] = s
    rest = iter(d for d in range(input.ndim) if d not in source)
    return permute(input, [next(rest) if d is None else d for d in dims])


def expand(input, *sizes):
    sizes = list(_sizes(sizes))
    lead = len(sizes) - input.ndim
    if lead < 0:
        raise RuntimeError(
            f'expand: the number of sizes provided ({len(sizes)}) must be greater or equal to the number of dimensions in the tensor ({input.ndim})'
        )
    x = input
    if lead:
        x = _reshaped(x, (1,) * lead + tuple(x.shape), [0] * lead + list(x._strides))
    for d, n in enumerate(sizes):
        if n == -1:
            if d < lead:
                raise RuntimeError('expand: -1 is not allowed in a leading, non-existing dimension')
            sizes[d] = x.shape[d]
        elif x.shape[d] not in (1, n):
            raise RuntimeError(
                f'The expanded size of the tensor ({n}) must match the existing size ({x.shape[d]}) at non-singleton dimension {d}.  Target sizes: {sizes}.  Tensor sizes: {list(input.shape)}'
            )
    shape = tuple(sizes)
    if shape == tuple(x.shape):
        return x if lead else alias(x, None, None, shape, x._strides, lambda parent, new: new)
    strides = [0 if x.shape[d] != shape[d] else s for d, s in enumerate(x._strides)]

    def undo(parent, new):
        raise unsupported('a write in place to an expanded tensor', 'several of its elements share one place in memory')

    return alias(x, 'expand', {'shape': list(shape)}, shape, strides, undo)


def expand_as(input, other):
    return expand(input, other.shape)


def broadcast_to(input, size):
    return expand(input, size)


def broadcast_shape(*shapes):
    """NumPy's rule, with PyTorch's message."""
    rank = max((len(s) for s in shapes), default=0)
    out = [1] * rank
    for s in shapes:
        for i, n in enumerate(s):
            d = rank - len(s) + i
            if n != 1:
                if out[d] not in (1, n):
                    raise RuntimeError(
                        f'The size of tensor a ({out[d]}) must match the size of tensor b ({n}) at non-singleton dimension {d}'
                    )
                out[d] = n
    return tuple(out)


def broadcast_tensors(*tensors):
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tensors[0]
    shape = broadcast_shape(*[x.shape for x in tensors])
    return tuple(expand(x, shape) for x in tensors)


def slice_(x, dim, start, end, step=1):
    """x[..., start:end:step, ...] along dim; bounds already non-negative and within the size."""
    size = max(0, -(-(end - start) // step))
    shape = list(x.shape)
    shape[dim] = size
    strides = list(x._strides)
    strides[dim] *= step
    if size == x.shape[dim]:
        return alias(x, None, None, tuple(shape), x._strides, lambda parent, new: new)
    at = {'dim': dim, 'start': start, 'end': max(start, end), 'step': step}
    return alias(
        x,
        'slice',
        at,
        tuple(shape),
        strides,
        lambda parent, new: emit('slice_scatter', [parent, new], at, (parent.shape, parent.dtype)),
    )


def select(input, dim, index):
    d, i = check_dim(dim, input.ndim), int(index)
    if input.ndim == 0:
        raise IndexError('select() cannot be applied to a 0-dim tensor.')
    if not -input.shape[d] <= i < input.shape[d]:
        raise IndexError(f'index {i} is out of bounds for dimension {d} with size {input.shape[d]}')
    at = {'dim': d, 'index': i % input.shape[d]}
    shape, strides = list(input.shape), list(input._strides)
    del shape[d], strides[d]
    return alias(
        input,
        'select',
        at,
        tuple(shape),
        strides,
        lambda parent, new: emit('select_scatter', [parent, new], at, (parent.shape, parent.dtype)),
    )


def narrow(input, dim, start, length):
    d = check_dim(dim, input.ndim)
    start = int(start) + (input.shape[d] if int(start) < 0 else 0)
    if start + length > input.shape[d] or length < 0:
        raise RuntimeError(f'start ({start}) + length ({length}) exceeds dimension size ({input.shape[d]}).')
    return slice_(input, d, start, start + length)


def split(tensor, split_size_or_sections=None, dim=0, *, split_size=None):
    d = check_dim(dim, tensor.ndim)
    parts = split_size if split_size_or_sections is None else split_size_or_sections
    n = tensor.shape[d]
    if isinstance(parts, int):
        if parts <= 0:
            raise RuntimeError(f'split_size must be positive, got {parts}')
        parts = [min(parts, n - i) for i in range(0, n, parts)] or [0]
    if sum(parts) != n:
        raise RuntimeError(
            f"split_with_sizes expects split_sizes to sum exactly to {n} (input tensor's size at dimension {d}), but got split_sizes={list(parts)}"
        )
    out, start = [], 0
    for p in parts:
        out.append(slice_(tensor, d, start, start + p))
        start += p
    return tuple(out)


def chunk(input, chunks, dim=0):
    n = input.shape[check_dim(dim, input.ndim)]
    return split(input, max(1, -(-n // chunks)), dim)


def tensor_split(input, indices_or_sections, dim=0):
    n = input.shape[check_dim(dim, input.ndim)]
    if isinstance(indices_or_sections, int):
        k = indices_or_sections
        sizes = [n // k + (1 if i < n % k else 0) for i in range(k)]
    else:
        cuts = [0, *[min(c, n) for c in indices_or_sections], n]
        sizes = [b - a for a, b in zip(cuts, cuts[1:])]
    return split(input, sizes, dim)


def unbind(input, dim=0):
    d = check_dim(dim, input.ndim)
    return tuple(select(input, d, i) for i in range(input.shape[d]))


def _same_type(tensors):
    from ._pointwise import cast
    from ._dtypes import result_type

    if not tensors:
        raise RuntimeError('expected a non-empty list of Tensors')
    common = result_type(tensors)
    return [cast(x, common) for x in tensors], common


def cat(tensors, dim=0):
    tensors, d_type = _same_type(list(tensors))
    tensors = [x for x in tensors if tuple(x.shape) != (0,)] or tensors[:1]
    first = tensors[0]
    d = check_dim(dim, first.ndim)
    for i, x in enumerate(tensors):
        if x.ndim != first.ndim or any(a != b for k, (a, b) in enumerate(zip(x.shape, first.shape)) if k != d):
            raise RuntimeError(
                f'Sizes of tensors must match except in dimension {d}. Expected {list(first.shape)} but got {list(x.shape)} for tensor number {i} in the list.'
            )
    shape = list(first.shape)
    shape[d] = sum(x.shape[d] for x in tensors)
    return emit('cat', tensors, {'dim': d}, (tuple(shape), d_type))


def stack(tensors, dim=0):
    tensors, d_type = _same_type(list(tensors))
    d = check_dim(dim, tensors[0].ndim + 1)
    for x in tensors:
        if x.shape != tensors[0].shape:
            raise RuntimeError(
                f'stack expects each tensor to be equal size, but got {list(tensors[0].shape)} at entry 0 and {list(x.shape)}'
            )
    shape = list(tensors[0].shape)
    shape.insert(d, len(tensors))
    return emit('stack', tensors, {'dim': d}, (tuple(shape), d_type))


def hstack(tensors):
    return cat(tensors, 0 if tensors[0].ndim <= 1 else 1)


def vstack(tensors):
    return cat([unsqueeze(x, 0) if x.ndim == 1 else x for x in tensors], 0)


def repeat(input, *repeats):
    repeats = _sizes(repeats)
    lead = len(repeats) - input.ndim
    if lead < 0:
        raise RuntimeError('Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor')
    sizes = (1,) * lead + tuple(input.shape)
    if all(r == 1 for r in repeats):
        return copy_reshape(input.clone(), sizes)
    x = copy_reshape(input, tuple(n for s in sizes for n in (1, s)))
    x = expand(x, tuple(n for r, s in zip(repeats, sizes) for n in (r, s)))
    return copy_reshape(x, tuple(r * s for r, s in zip(repeats, sizes)))


def tile(input, *dims):
    dims = _sizes(dims)
    return repeat(input, (1,) * (input.ndim - len(dims)) + dims)


def repeat_interleave(input, repeats, dim=None, *, output_size=None):
    if isinstance(repeats, Tensor):
        raise unsupported('repeat_interleave with a tensor of repeats', 'the size of the result would depend on values')
    if dim is None:
        input, dim = reshape(input, -1), 0
    d = check_dim(dim, input.ndim)
    shape = tuple(input.shape)
    x = copy_reshape(input, shape[: d + 1] + (1,) + shape[d + 1 :])
    x = expand(x, shape[: d + 1] + (repeats,) + shape[d + 1 :])
    return copy_reshape(x, shape[:d] + (shape[d] * repeats,) + shape[d + 1 :])


def pad(input, pad, mode='constant', value=None):
    pad = [int(p) for p in pad]
    if len(pad) % 2 or len(pad) // 2 > input.ndim:
        raise RuntimeError(
            f'Padding length should be an even number no more than twice the number of dimensions, got {len(pad)}'
        )
    before, after = [0] * input.ndim, [0] * input.ndim
    for i in range(len(pad) // 2):
        before[input.ndim - 1 - i], after[input.ndim - 1 - i] = pad[2 * i], pad[2 * i + 1]
    if mode not in ('constant', 'reflect', 'replicate', 'circular'):
        raise NotImplementedError(f'Unrecognised padding mode {mode}')
    shape = tuple(b + n + a for b, n, a in zip(before, input.shape, after))
    for d, n in enumerate(shape):
        if n < 0:
            raise RuntimeError(
                f'The input size {input.shape[d]}, plus negative padding {before[d]} and {after[d]}, resulted in a negative output size'
            )
        if mode == 'reflect' and max(before[d], after[d]) >= input.shape[d]:
            raise RuntimeError(
                f'Padding size should be less than the corresponding input dimension, but got: padding ({before[d]}, {after[d]}) at dimension {d} of input {list(input.shape)}'
            )
    if mode != 'constant' and min(pad, default=0) < 0:
        raise unsupported(f'negative padding with mode {mode!r}')
    if not any(pad):
        return input.clone()
    return emit(
        'pad',
        [input],
        {'before': before, 'after': after, 'mode': mode, 'value': scalar(0.0 if value is None else value)},
        (shape, input.dtype),
    )


def _triangle(op):
    def triangle(input, diagonal=0):
        if input.ndim < 2:
            raise RuntimeError(f'{op}: input tensor must have at least 2 dimensions')
        return emit(op, [input], {'diagonal': int(diagonal)}, (input.shape, input.dtype))

    triangle.__name__ = op
    return triangle


tril = _triangle('tril')
triu = _triangle('triu')


def diag_embed(input, offset=0, dim1=-2, dim2=-1):
    n = input.shape[-1] + abs(offset)
    a, b = check_dim(dim1, input.ndim + 1), check_dim(dim2, input.ndim + 1)
    x = emit('diag_embed', [input], {'offset': offset}, (tuple(input.shape[:-1]) + (n, n), input.dtype))
    return x if (a, b) == (input.ndim - 1, input.ndim) else movedim(x, (-2, -1), (a, b))


def diagonal(input, offset=0, dim1=0, dim2=1):
    a, b = check_dim(dim1, input.ndim), check_dim(dim2, input.ndim)
    if a == b:
        raise RuntimeError('diagonal dimensions cannot be identical')
    n = min(input.shape[a] + min(offset, 0), input.shape[b] - max(offset, 0))
    shape = tuple(s for d, s in enumerate(input.shape) if d not in (a, b)) + (max(n, 0),)
    out = emit('diagonal', [input], {'offset': offset, 'dim1': a, 'dim2': b}, (shape, input.dtype))
    out._frozen = 'a write in place through diagonal()'
    return out


def diag(input, diagonal=0):
    if input.ndim == 1:
        return diag_embed(input, diagonal)
    if input.ndim != 2:
        raise RuntimeError('diag(): Supports 1D or 2D tensors. Got %dD' % input.ndim)
    return globals()['diagonal'](input, diagonal).clone()


def flip(input, *dims):
    dims = sorted({check_dim(d, input.ndim) for d in _sizes(dims)})
    return emit('flip', [input], {'dims': dims}, (input.shape, input.dtype)) if dims else input.clone()


def fliplr(input):
    return flip(input, 1)


def flipud(input):
    return flip(input, 0)


def rot90(input, k=1, dims=(0, 1)):
    a, b = check_dim(dims[0], input.ndim), check_dim(dims[1], input.ndim)
    return {
        0: lambda: input.clone(),
        1: lambda: transpose(flip(input, b), a, b),
        2: lambda: flip(input, a, b),
        3: lambda: transpose(flip(input, a), a, b),
    }[k % 4]()


def roll(input, shifts, dims=None):
    listed = lambda v: list(v) if isinstance(v, (tuple, list)) else [v]
    shifts = [int(s) for s in listed(shifts)]
    if dims is None or dims == ():
        return copy_reshape(roll(copy_reshape(input, (input.numel(),)), shifts[0], 0), input.shape)
    dims = [check_dim(d, input.ndim) for d in listed(dims)]
    if len(dims) != len(shifts):
        raise RuntimeError(f'shifts and dimensions must align. shifts: {len(shifts)}, dims:{len(dims)}')
    return emit('roll', [input], {'shifts': shifts, 'dims': dims}, (input.shape, input.dtype))


def _index_type(index, what):
    if index.dtype is not int64:
        raise RuntimeError(f'{what}(): Expected dtype int64 for index')
    return index


def gather(input, dim, index, *, sparse_grad=False):
    d = check_dim(dim, input.ndim)
    if index.ndim != input.ndim:
        raise RuntimeError('Index tensor must have the same number of dimensions as input tensor')
    return emit('gather', [input, _index_type(index, 'gather')], {'dim': d}, (index.shape, input.dtype))


def take_along_dim(input, indices, dim):
    d = check_dim(dim, input.ndim)
    shape = broadcast_shape(*[tuple(1 if i == d else n for i, n in enumerate(x.shape)) for x in (input, indices)])
    with_size = lambda n: shape[:d] + (n,) + shape[d + 1 :]
    return gather(expand(input, with_size(input.shape[d])), d, expand(indices, with_size(indices.shape[d])))


def scatter(input, dim, index, src=None, value=None, reduce=None):
    src = value if src is None else src
    if not isinstance(src, Tensor):
        src = expand(constant(src, input.dtype), index.shape)
    elif tuple(src.shape) != tuple(index.shape):
        for d, n in enumerate(index.shape):
            src = slice_(src, d, 0, n)
    if reduce not in (None, 'add'):
        raise unsupported(f'scatter with reduce={reduce!r}')
    return emit(
        'scatter',
        [input, _index_type(index, 'scatter'), src],
        {'dim': check_dim(dim, input.ndim), 'reduce': reduce},
        (input.shape, input.dtype),
    )


def scatter_add(input, dim, index, src):
    return scatter(input, dim, index, src, reduce='add')


def index_select(input, dim, index):
    from ._pointwise import cast

    d = check_dim(dim, input.ndim)
    index = cast(index, int64)
    if index.ndim > 1:
        raise RuntimeError('index_select(): Index is supposed to be a vector')
    n = index.numel()
    shape = tuple(input.shape[:d]) + (n,) + tuple(input.shape[d + 1 :])
    return emit('index_select', [input, copy_reshape(index, (n,))], {'dim': d}, (shape, input.dtype))


def unfold(input, dimension, size, step):
    d = check_dim(dimension, input.ndim)
    if size > input.shape[d]:
        raise RuntimeError(f'maximum size for tensor at dimension {d} is {input.shape[d]} but size is {size}')
    shape = list(input.shape)
    shape[d] = (shape[d] - size) // step + 1
    out = emit('unfold', [input], {'dim': d, 'size': size, 'step': step}, (tuple(shape) + (size,), input.dtype))
    out._frozen = 'a write in place through unfold()'
    return out


def meshgrid(*tensors, indexing='ij'):
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tuple(tensors[0])
    if indexing == 'xy' and len(tensors) > 1:
        swapped = meshgrid(tensors[1], tensors[0], *tensors[2:])
        return tuple(transpose(g, 0, 1) for g in (swapped[1], swapped[0], *swapped[2:]))
    shape = tuple(x.numel() for x in tensors)
    place = lambda i: (1,) * i + (-1,) + (1,) * (len(shape) - 1 - i)
    return tuple(expand(reshape(x, place(i)), shape) for i, x in enumerate(tensors))
