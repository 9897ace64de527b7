"""Contractions: matmul and its spellings, linear, einsum, convolutions, attention."""

import math

from ._amp import lower
from ._dtypes import bool_, float64, promote_types
from ._pointwise import add, cast, mul
from ._record import plain, unsupported
from ._tensor import Tensor, emit
from ._views import broadcast_shape, copy_reshape, pad as pad_, permute, repeat_interleave, unsqueeze


def _same_dtype(what, *tensors):
    """Contractions do not promote: PyTorch refuses mixed types, where autocast does not make them one."""
    kinds = {t.dtype for t in tensors}
    if len(kinds) > 1 and (lower() is None or float64 in kinds):
        raise RuntimeError(
            f'{what}: expected all operands to have the same dtype, but got: '
            + ' != '.join(sorted(repr(k) for k in kinds))
        )


def matmul(input, other, *, out=None):
    a, b = input, other
    if a.ndim == 0 or b.ndim == 0:
        raise RuntimeError(f'both arguments to matmul need to be at least 1D, but they are {a.ndim}D and {b.ndim}D')
    _same_dtype('matmul', a, b)
    left, right = a.ndim == 1, b.ndim == 1
    a = copy_reshape(a, (1, a.shape[0])) if left else a
    b = copy_reshape(b, (b.shape[0], 1)) if right else b
    if a.shape[-1] != b.shape[-2]:
        raise RuntimeError(
            f'mat1 and mat2 shapes cannot be multiplied ({math.prod(a.shape[:-1])}x{a.shape[-1]} and {b.shape[-2]}x{b.shape[-1]})'
        )
    batch = broadcast_shape(a.shape[:-2], b.shape[:-2])
    y = emit('matmul', [a, b], {}, (batch + (a.shape[-2], b.shape[-1]), a.dtype))
    if left or right:
        y = copy_reshape(y, batch + (() if left else (a.shape[-2],)) + (() if right else (b.shape[-1],)))
    return y


def _ranked(name, rank_a, rank_b):
    def f(input, other, *, out=None):
        if (input.ndim, other.ndim) != (rank_a, rank_b):
            raise RuntimeError(
                f'{name}: expected tensors of {rank_a} and {rank_b} dimensions, got {input.ndim}D and {other.ndim}D'
            )
        if name == 'bmm' and input.shape[0] != other.shape[0]:
            raise RuntimeError(
                f'Expected size for first two dimensions of batch2 tensor to be: [{input.shape[0]}, {input.shape[2]}] but got: [{other.shape[0]}, {other.shape[1]}].'
            )
        return matmul(input, other)

    f.__name__ = name
    return f


_mm, _bmm, _mv, _dot = _ranked('mm', 2, 2), _ranked('bmm', 3, 3), _ranked('mv', 2, 1), _ranked('dot', 1, 1)


def mm(input, mat2, *, out=None):
    return _mm(input, mat2)


def bmm(input, mat2, *, out=None):
    return _bmm(input, mat2)


def mv(input, vec):
    return _mv(input, vec)


def dot(input, tensor):
    if lower() is not None:
        raise unsupported('dot under autocast', 'call it outside, in the type that is meant')
    return _dot(input, tensor)


def outer(input, vec2):
    return mul(unsqueeze(input, 1), unsqueeze(vec2, 0))


def _scaled_sum(input, product, beta, alpha):
    if lower() is not None and input.dtype is not float64:
        input, product = cast(input, lower()), cast(product, lower())
    product = product if alpha == 1 else mul(product, alpha)
    if beta == 0:
        return product
    return add(input if beta == 1 else mul(input, beta), product)


def addmm(input, mat1, mat2, *, beta=1, alpha=1):
    return _scaled_sum(input, mm(mat1, mat2), beta, alpha)


def addmv(input, mat, vec, *, beta=1, alpha=1):
    return _scaled_sum(input, mv(mat, vec), beta, alpha)


def baddbmm(input, batch1, batch2, *, beta=1, alpha=1):
    return _scaled_sum(input, bmm(batch1, batch2), beta, alpha)


def addbmm(input, batch1, batch2, *, beta=1, alpha=1):
    return _scaled_sum(input, bmm(batch1, batch2).sum(0), beta, alpha)


def addr(input, vec1, vec2, *, beta=1, alpha=1):
    return _scaled_sum(input, outer(vec1, vec2), beta, alpha)


def linear(input, weight, bias=None):
    _same_dtype('linear', input, weight)
    if weight.ndim == 1:
        y = matmul(input, weight)
        return y if bias is None else add(y, bias)
    if input.shape[-1] != weight.shape[1]:
        raise RuntimeError(
            f'mat1 and mat2 shapes cannot be multiplied ({math.prod(input.shape[:-1])}x{input.shape[-1]} and {weight.shape[1]}x{weight.shape[0]})'
        )
    n = weight.shape[0]
    if bias is not None and tuple(bias.shape) != (n,):
        return add(linear(input, weight), bias)
    shape = tuple(input.shape[:-1]) + (n,)
    return emit(
        'linear', [input, weight] + ([] if bias is None else [bias]), {'bias': bias is not None}, (shape, input.dtype)
    )


def bilinear(input1, input2, weight, bias=None):
    if lower() is not None:
        raise unsupported('bilinear under autocast', 'call it outside, in the type that is meant')
    y = einsum('bi,oij,bj->bo', input1.reshape(-1, input1.shape[-1]), weight, input2.reshape(-1, input2.shape[-1]))
    y = copy_reshape(y, tuple(input1.shape[:-1]) + (weight.shape[0],))
    return y if bias is None else add(y, bias)


def einsum(equation, *operands):
    """Normalised: no spaces, ellipsis spelled out in letters, the output explicit."""
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    if not isinstance(equation, str):
        raise unsupported('torch.einsum with index lists')
    text = equation.replace(' ', '')
    left, arrow, right = text.partition('->')
    terms = left.split(',')
    if len(terms) != len(operands):
        raise RuntimeError(
            f'einsum(): the number of operands ({len(operands)}) does not match the terms of "{equation}"'
        )
    free = [c for c in 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz' if c not in text]
    named = [t.replace('...', '') for t in terms]
    extra = [x.ndim - len(n) if '...' in t else 0 for x, t, n in zip(operands, terms, named)]
    dots = ''.join(free[: max(extra)]) if extra else ''
    terms = [t.replace('...', dots[len(dots) - e :]) for t, e in zip(terms, extra)]
    if arrow:
        right = right.replace('...', dots)
    else:
        joined = ''.join(named)
        right = dots + ''.join(sorted(c for c in set(joined) if joined.count(c) == 1))
    sizes = {}
    for x, t in zip(operands, terms):
        if len(t) != x.ndim:
            raise RuntimeError(
                f'einsum(): the number of subscripts in "{t}" does not match the operand of {x.ndim} dimensions'
            )
        for c, n in zip(t, x.shape):
            if sizes.get(c, n) != n and 1 not in (sizes[c], n):
                raise RuntimeError(
                    f'einsum(): subscript {c} has size {n} for an operand, which does not broadcast with previously seen size {sizes[c]}'
                )
            if c in sizes and sizes[c] != n:
                raise unsupported('einsum that broadcasts a dimension of size 1')
            sizes[c] = n
    if any(c not in sizes for c in right):
        raise RuntimeError(f'einsum(): output subscript does not appear in the equation "{equation}"')
    _same_dtype('einsum', *operands)
    return emit(
        'einsum',
        list(operands),
        {'equation': ','.join(terms) + '->' + right},
        (tuple(sizes[c] for c in right), operands[0].dtype),
    )


def tensordot(a, b, dims=2):
    if lower() is not None:
        raise unsupported('tensordot under autocast', 'call it outside, in the type that is meant')
    if isinstance(dims, int):
        over_a, over_b = list(range(a.ndim - dims, a.ndim)), list(range(dims))
    else:
        over_a, over_b = [
            [d % x.ndim for d in (v if isinstance(v, (list, tuple)) else [v])] for v, x in zip(dims, (a, b))
        ]
    keep_a, keep_b = [d for d in range(a.ndim) if d not in over_a], [d for d in range(b.ndim) if d not in over_b]
    run = math.prod(a.shape[d] for d in over_a)
    left = copy_reshape(permute(a, keep_a + over_a), (math.prod(a.shape[d] for d in keep_a), run))
    right = copy_reshape(permute(b, over_b + keep_b), (run, math.prod(b.shape[d] for d in keep_b)))
    return copy_reshape(mm(left, right), tuple(a.shape[d] for d in keep_a) + tuple(b.shape[d] for d in keep_b))


# -- convolutions ----------------------------------------------------------------------------------------------------


def tuple_of(value, n):
    """An int or a sequence as a list of n ints."""
    out = [int(v) for v in value] if isinstance(value, (tuple, list)) else [int(value)] * n
    if len(out) == 1:
        out *= n
    if len(out) != n:
        raise RuntimeError(f'expected {n} values, got {value}')
    return out


def batched(x, n, f):
    """Apply f to x with n spatial dimensions and a batch; unbatched inputs get a batch of one around it."""
    if x.ndim == n + 1:
        y = f(copy_reshape(x, (1,) + tuple(x.shape)))
        return copy_reshape(y, tuple(y.shape[1:]))
    if x.ndim != n + 2:
        raise RuntimeError(
            f'Expected {n + 1}D (unbatched) or {n + 2}D (batched) input, but got input of size: {list(x.shape)}'
        )
    return f(x)


def _conv(n):
    def f(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
        s, d = tuple_of(stride, n), tuple_of(dilation, n)
        kernel = weight.shape[2:]
        x = input
        if padding == 'valid':
            padding = 0
        elif padding == 'same':
            if any(v != 1 for v in s):
                raise RuntimeError("padding='same' is not supported for strided convolutions")
            total = [dd * (k - 1) for dd, k in zip(d, kernel)]
            padding = [t // 2 for t in total]
            if any(t % 2 for t in total):  # the odd one goes to the right
                x = pad_(x, [v for t in reversed(total) for v in (0, t % 2)])
        p = tuple_of(padding, n)
        _same_dtype(f'conv{n}d', *[t for t in (x, weight, bias) if t is not None])

        def run(x):
            if x.shape[1] != weight.shape[1] * groups or weight.shape[0] % groups:
                raise RuntimeError(
                    f'Given groups={groups}, weight of size {list(weight.shape)}, expected input{list(x.shape)} to have {weight.shape[1] * groups} channels, but got {x.shape[1]} channels instead'
                )
            out = [(i + 2 * pp - dd * (k - 1) - 1) // ss + 1 for i, pp, dd, k, ss in zip(x.shape[2:], p, d, kernel, s)]
            if any(o <= 0 for o in out):
                raise RuntimeError(
                    f"Calculated padded input size per channel: ({' x '.join(str(i + 2 * pp) for i, pp in zip(x.shape[2:], p))}). Kernel size: ({' x '.join(map(str, kernel))}). Kernel size can't be greater than actual input size"
                )
            at = {'stride': s, 'padding': p, 'dilation': d, 'groups': int(groups), 'bias': bias is not None}
            return emit(
                f'conv{n}d',
                [x, weight] + ([] if bias is None else [bias]),
                at,
                ((x.shape[0], weight.shape[0], *out), x.dtype),
            )

        return batched(x, n, run)

    f.__name__ = f'conv{n}d'
    return f


def _conv_transpose(n):
    def f(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
        s, p, o, d = tuple_of(stride, n), tuple_of(padding, n), tuple_of(output_padding, n), tuple_of(dilation, n)
        kernel = weight.shape[2:]
        _same_dtype(f'conv_transpose{n}d', *[t for t in (input, weight, bias) if t is not None])

        def run(x):
            if x.shape[1] != weight.shape[0]:
                raise RuntimeError(
                    f'Given transposed=1, weight of size {list(weight.shape)}, expected input{list(x.shape)} to have {weight.shape[0]} channels, but got {x.shape[1]} channels instead'
                )
            if any(oo >= max(ss, dd) for oo, ss, dd in zip(o, s, d)):
                raise RuntimeError('output padding must be smaller than either stride or dilation')
            out = [
                (i - 1) * ss - 2 * pp + dd * (k - 1) + oo + 1
                for i, ss, pp, dd, k, oo in zip(x.shape[2:], s, p, d, kernel, o)
            ]
            if any(v <= 0 for v in out):
                raise RuntimeError(f'Calculated output size is too small: {out}')
            at = {
                'stride': s,
                'padding': p,
                'output_padding': o,
                'dilation': d,
                'groups': int(groups),
                'bias': bias is not None,
            }
            return emit(
                f'conv_transpose{n}d',
                [x, weight] + ([] if bias is None else [bias]),
                at,
                ((x.shape[0], weight.shape[1] * groups, *out), x.dtype),
            )

        return batched(input, n, run)

    f.__name__ = f'conv_transpose{n}d'
    return f


conv1d, conv2d, conv3d = _conv(1), _conv(2), _conv(3)
conv_transpose1d, conv_transpose2d, conv_transpose3d = _conv_transpose(1), _conv_transpose(2), _conv_transpose(3)


# -- attention -------------------------------------------------------------------------------------------------------


def scaled_dot_product_attention(
    query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False
):
    if dropout_p:
        raise unsupported('scaled_dot_product_attention with dropout_p > 0', 'its result is random')
    if enable_gqa:
        key = repeat_interleave(key, query.shape[-3] // key.shape[-3], -3)
        value = repeat_interleave(value, query.shape[-3] // value.shape[-3], -3)
    _same_dtype('scaled_dot_product_attention', query, key, value)
    if query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]:
        raise RuntimeError(
            f'scaled_dot_product_attention: sizes do not match: query {list(query.shape)}, key {list(key.shape)}, value {list(value.shape)}'
        )
    if attn_mask is not None and is_causal:
        raise RuntimeError('_scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True')
    batch = broadcast_shape(query.shape[:-2], key.shape[:-2], value.shape[:-2])
    operands = [query, key, value]
    if attn_mask is not None:
        if attn_mask.dtype is not bool_:
            attn_mask = cast(attn_mask, promote_types(attn_mask.dtype, query.dtype))
        operands.append(attn_mask)
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else float(scale)
    at = {'mask': attn_mask is not None, 'is_causal': bool(is_causal), 'scale': plain(factor)}
    return emit('scaled_dot_product_attention', operands, at, (batch + (query.shape[-2], value.shape[-1]), query.dtype))


def chain_matmul(*matrices):
    y = matrices[0]
    for m in matrices[1:]:
        y = matmul(y, m)
    return y


def multi_dot(tensors):
    return chain_matmul(*tensors)


def is_tensor(obj):
    return isinstance(obj, Tensor)
