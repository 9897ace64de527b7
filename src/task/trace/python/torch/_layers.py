"""Functions of torch.nn.functional that are operators of their own: normalisation, pooling, resizing, losses, embedding, dropout."""

import math

from ._contract import batched, tuple_of
from ._dtypes import finfo, int64
from ._pointwise import UNARY, add, cast, clamp, clamp_min, div, eq, mul, pow_, sub, where, written
from ._record import plain, recorder, unsupported
from ._reduce import mean, pairwise_distance, sum as sum_
from ._tensor import Tensor, emit
from ._views import copy_reshape, expand, broadcast_shape, pad as pad_

# -- normalisation ---------------------------------------------------------------------------------------------------


def _optional(**operands):
    """Optional operands: those present, in order, and the booleans that announce them."""
    return [t for t in operands.values() if t is not None], {k: t is not None for k, t in operands.items()}


def _check_trailing(what, x, normalized_shape, *affine):
    n = len(normalized_shape)
    if tuple(x.shape[x.ndim - n :]) != tuple(normalized_shape):
        raise RuntimeError(
            f'Given normalized_shape={list(normalized_shape)}, expected input with shape [*, {", ".join(map(str, normalized_shape))}], but got input of size{list(x.shape)}'
        )
    for t in affine:
        if t is not None and tuple(t.shape) != tuple(normalized_shape):
            raise RuntimeError(
                f'{what}: expected weight and bias of shape {list(normalized_shape)}, got {list(t.shape)}'
            )


def layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-5):
    normalized_shape = [int(n) for n in normalized_shape]
    _check_trailing('layer_norm', input, normalized_shape, weight, bias)
    operands, flags = _optional(weight=weight, bias=bias)
    return emit(
        'layer_norm',
        [input, *operands],
        {'normalized_shape': normalized_shape, 'eps': plain(eps), **flags},
        (input.shape, input.dtype),
    )


def rms_norm(input, normalized_shape, weight=None, eps=None):
    normalized_shape = [int(n) for n in normalized_shape]
    _check_trailing('rms_norm', input, normalized_shape, weight)
    operands, flags = _optional(weight=weight)
    eps = finfo(input.dtype).eps if eps is None else eps
    return emit(
        'rms_norm',
        [input, *operands],
        {'normalized_shape': normalized_shape, 'eps': plain(eps), **flags},
        (input.shape, input.dtype),
    )


def _check_channels(what, x, *tensors):
    if x.ndim < 2:
        raise ValueError(f'{what}: expected at least 2D input (got {x.ndim}D input)')
    for t in tensors:
        if t is not None and tuple(t.shape) != (x.shape[1],):
            raise RuntimeError(
                f'{what}: expected weight, bias and statistics of {x.shape[1]} channels, got {list(t.shape)}'
            )


def batch_norm(input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5):
    _check_channels('batch_norm', input, running_mean, running_var, weight, bias)
    if training and input.numel() == input.shape[1]:
        raise ValueError(f'Expected more than 1 value per channel when training, got input size {list(input.shape)}')
    if not training and (running_mean is None or running_var is None):
        raise ValueError('Expected running_mean and running_var to be defined when training=False')
    operands, flags = _optional(weight=weight, bias=bias)
    statistics = [] if training else [running_mean, running_var]
    at = {'training': bool(training), 'momentum': plain(momentum), 'eps': plain(eps), **flags}
    return emit('batch_norm', [input, *statistics, *operands], at, (input.shape, input.dtype))


def group_norm(input, num_groups, weight=None, bias=None, eps=1e-5):
    _check_channels('group_norm', input, weight, bias)
    if input.shape[1] % num_groups:
        raise RuntimeError(
            f'Expected number of channels in input to be divisible by num_groups, but got input of shape {list(input.shape)} and num_groups={num_groups}'
        )
    operands, flags = _optional(weight=weight, bias=bias)
    return emit(
        'group_norm',
        [input, *operands],
        {'num_groups': int(num_groups), 'eps': plain(eps), **flags},
        (input.shape, input.dtype),
    )


def instance_norm(
    input, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True, momentum=0.1, eps=1e-5
):
    _check_channels('instance_norm', input, weight, bias)
    if not use_input_stats:
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    if math.prod(input.shape[2:]) == 1:
        raise ValueError(f'Expected more than 1 spatial element when training, got input size {list(input.shape)}')
    operands, flags = _optional(weight=weight, bias=bias)
    return emit('instance_norm', [input, *operands], {'eps': plain(eps), **flags}, (input.shape, input.dtype))


def local_response_norm(input, size, alpha=1e-4, beta=0.75, k=1.0):
    squares = copy_reshape(
        mul(input, input), (input.shape[0], 1, input.shape[1], -1 if input.ndim < 3 else math.prod(input.shape[2:]))
    )
    squares = pad_(squares, (0, 0, size // 2, (size - 1) // 2))
    average = copy_reshape(avg_pool2d(squares, (size, 1), stride=1), input.shape)
    return div(input, pow_(add(mul(average, alpha), k), beta))


# -- windows ---------------------------------------------------------------------------------------------------------


def pooled_size(size, kernel, stride, padding, dilation, ceil_mode):
    """ATen's pooling_output_shape: with ceil_mode the last window must start inside the input or its left padding."""
    span = size + 2 * padding - dilation * (kernel - 1) - 1
    out = (span + (stride - 1 if ceil_mode else 0)) // stride + 1
    if ceil_mode and (out - 1) * stride >= size + padding:
        out -= 1
    return out


def _pool_arguments(x, n, kernel_size, stride, padding, dilation, ceil_mode):
    k = tuple_of(kernel_size, n)
    s = tuple_of(stride, n) if stride is not None and stride != [] else k
    p, d = tuple_of(padding, n), tuple_of(dilation, n)
    for kk, pp in zip(k, p):
        if pp > kk // 2:
            raise RuntimeError(
                f'pad should be at most half of effective kernel size, but got pad={pp}, kernel_size={kk}'
            )
    out = [pooled_size(*v, ceil_mode) for v in zip(x.shape[2:], k, s, p, d)]
    if any(o <= 0 for o in out):
        raise RuntimeError(
            f'Given input size: {list(x.shape[1:])}. Calculated output size: {out}. Output size is too small'
        )
    return k, s, p, d, (x.shape[0], x.shape[1], *out)


def _max_pool(n):
    def f(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
        if return_indices:
            raise unsupported(f'max_pool{n}d with return_indices=True')

        def run(x):
            k, s, p, d, shape = _pool_arguments(x, n, kernel_size, stride, padding, dilation, ceil_mode)
            at = {'kernel': k, 'stride': s, 'padding': p, 'dilation': d, 'ceil_mode': bool(ceil_mode)}
            return emit(f'max_pool{n}d', [x], at, (shape, x.dtype))

        return batched(input, n, run)

    f.__name__ = f'max_pool{n}d'
    return f


def _avg_pool(n):
    def f(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None):
        def run(x):
            k, s, p, _, shape = _pool_arguments(x, n, kernel_size, stride, padding, 1, ceil_mode)
            at = {
                'kernel': k,
                'stride': s,
                'padding': p,
                'ceil_mode': bool(ceil_mode),
                'count_include_pad': bool(count_include_pad),
                'divisor': divisor_override,
            }
            return emit(f'avg_pool{n}d', [x], at, (shape, x.dtype))

        return batched(input, n, run)

    f.__name__ = f'avg_pool{n}d'
    return f


max_pool1d, max_pool2d, max_pool3d = _max_pool(1), _max_pool(2), _max_pool(3)
avg_pool1d, avg_pool2d, avg_pool3d = _avg_pool(1), _avg_pool(2), _avg_pool(3)


def _adaptive(op, n):
    def f(input, output_size, return_indices=False):
        if return_indices:
            raise unsupported(f'adaptive_{op}_pool{n}d with return_indices=True')
        sizes = list(output_size) if isinstance(output_size, (tuple, list)) else [output_size] * n

        def run(x):
            out = [x.shape[2 + i] if v is None else int(v) for i, v in enumerate(sizes)]
            return emit(f'adaptive_{op}_pool', [x], {'output_size': out}, ((x.shape[0], x.shape[1], *out), x.dtype))

        return batched(input, n, run)

    f.__name__ = f'adaptive_{op}_pool{n}d'
    return f


adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = [_adaptive('avg', n) for n in (1, 2, 3)]
adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d = [_adaptive('max', n) for n in (1, 2, 3)]


def _lp_pool(n):
    def f(input, norm_type, kernel_size, stride=None, ceil_mode=False):
        """(sum x^p)^(1/p), as PyTorch: relu(sign(a)·|a|)·k."""
        k = math.prod(tuple_of(kernel_size, n))
        a = (avg_pool1d, avg_pool2d, avg_pool3d)[n - 1](pow_(input, norm_type), kernel_size, stride, 0, ceil_mode)
        from ._pointwise import relu

        return pow_(mul(relu(mul(UNARY['sign'](a), relu(UNARY['abs'](a)))), k), 1.0 / norm_type)

    f.__name__ = f'lp_pool{n}d'
    return f


lp_pool1d, lp_pool2d, lp_pool3d = _lp_pool(1), _lp_pool(2), _lp_pool(3)


def interpolate(
    input,
    size=None,
    scale_factor=None,
    mode='nearest',
    align_corners=None,
    recompute_scale_factor=None,
    antialias=False,
):
    n = input.ndim - 2
    if antialias:
        raise unsupported('interpolate with antialias=True')
    ranks = {'linear': 1, 'bilinear': 2, 'bicubic': 2, 'trilinear': 3}
    if mode not in ('nearest', 'nearest-exact', 'area', *ranks) or ranks.get(mode, n) != n or n < 1:
        raise NotImplementedError(f'Got {input.ndim}D input, which interpolate does not take in mode {mode!r}')
    if (size is None) == (scale_factor is None):
        raise ValueError('only one of size or scale_factor should be defined')
    if size is not None:
        out, scales = tuple_of(size, n), [None] * n
    else:
        scales = (
            [float(v) for v in scale_factor] if isinstance(scale_factor, (tuple, list)) else [float(scale_factor)] * n
        )
        out = [math.floor(i * s) for i, s in zip(input.shape[2:], scales)]
        scales = [None] * n if recompute_scale_factor else scales
    if mode == 'area':
        return (adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d)[n - 1](input, out)
    at = {'mode': mode, 'output_size': out, 'scales': plain(scales), 'align_corners': bool(align_corners)}
    return emit('interpolate', [input], at, ((*input.shape[:2], *out), input.dtype))


def upsample(input, size=None, scale_factor=None, mode='nearest', align_corners=None):
    return interpolate(input, size, scale_factor, mode, align_corners)


def pixel_shuffle(input, upscale_factor):
    r = upscale_factor
    *lead, c, h, w = input.shape
    if c % (r * r):
        raise RuntimeError(
            f"pixel_shuffle expects its input's channel dimension to be divisible by the square of upscale_factor, but input.size(-3)={c}"
        )
    n = len(lead)
    x = copy_reshape(input, (*lead, c // (r * r), r, r, h, w)).permute(*range(n), n, n + 3, n + 1, n + 4, n + 2)
    return copy_reshape(x, (*lead, c // (r * r), h * r, w * r))


def pixel_unshuffle(input, downscale_factor):
    r = downscale_factor
    *lead, c, h, w = input.shape
    n = len(lead)
    x = copy_reshape(input, (*lead, c, h // r, r, w // r, r)).permute(*range(n), n, n + 2, n + 4, n + 1, n + 3)
    return copy_reshape(x, (*lead, c * r * r, h // r, w // r))


def channel_shuffle(input, groups):
    b, c, *rest = input.shape
    x = copy_reshape(input, (b, groups, c // groups, *rest)).transpose(1, 2)
    return copy_reshape(x, (b, c, *rest))


def unfold(input, kernel_size, dilation=1, padding=0, stride=1):
    k, d, p, s = [tuple_of(v, 2) for v in (kernel_size, dilation, padding, stride)]

    def run(x):
        count = math.prod(
            (i + 2 * pp - dd * (kk - 1) - 1) // ss + 1 for i, kk, dd, pp, ss in zip(x.shape[2:], k, d, p, s)
        )
        shape = (x.shape[0], x.shape[1] * math.prod(k), count)
        return emit('im2col', [x], {'kernel': k, 'stride': s, 'padding': p, 'dilation': d}, (shape, x.dtype))

    return batched(input, 2, run)


# -- embedding and dropout -------------------------------------------------------------------------------------------


def embedding(input, weight, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, sparse=False):
    if max_norm is not None:
        raise unsupported('embedding with max_norm', 'it changes the weight in place')
    if input.dtype.category != 1:
        raise RuntimeError(
            f"Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; but got {input.dtype!r} instead"
        )
    if padding_idx is not None or scale_grad_by_freq:
        recorder().stop('an embedding with padding_idx or scale_grad_by_freq')
    return emit('embedding', [cast(input, int64), weight], {}, ((*input.shape, weight.shape[1]), weight.dtype))


def one_hot(tensor, num_classes=-1):
    if num_classes < 0:
        raise unsupported('one_hot without num_classes', 'the size of the result would depend on values')
    return emit(
        'one_hot', [cast(tensor, int64)], {'num_classes': int(num_classes)}, ((*tensor.shape, num_classes), int64)
    )


def dropout(input, p=0.5, training=True, inplace=False):
    if not 0 <= p <= 1:
        raise ValueError(f'dropout probability has to be between 0 and 1, but got {p}')
    if not training or p == 0:
        return input
    if p == 1:
        return written(input, mul(input, 0.0), inplace)
    return written(input, emit('dropout', [input], {'p': plain(p)}, (input.shape, input.dtype)), inplace)


def _channel_dropout(name, n):
    def f(input, p=0.5, training=True, inplace=False):
        if not training or p == 0:
            return input
        unbatched = n is not None and input.ndim == n + 1
        lead = tuple(input.shape[: 1 if unbatched else 2])
        from ._create import ones

        mask = dropout(ones(lead + (1,) * (input.ndim - len(lead)), dtype=input.dtype), p, True)
        return written(input, mul(input, mask), inplace)

    f.__name__ = name
    return f


dropout1d, dropout2d, dropout3d = (
    _channel_dropout('dropout1d', 1),
    _channel_dropout('dropout2d', None),
    _channel_dropout('dropout3d', 3),
)


def alpha_dropout(input, p=0.5, training=False, inplace=False):
    if not training or p == 0:
        return input
    raise unsupported('alpha_dropout in training')


# -- losses ----------------------------------------------------------------------------------------------------------


def _reduction(reduction, size_average=None, reduce=None, also=()):
    if size_average is not None or reduce is not None:
        raise unsupported('size_average and reduce', 'use reduction=')
    if reduction not in ('none', 'mean', 'sum', *also):
        raise ValueError(f'{reduction} is not a valid value for reduction')
    return reduction


def _reduce(loss, reduction):
    return {'none': lambda v: v, 'mean': mean, 'sum': sum_}[_reduction(reduction)](loss)


def _pairwise(op, x, y, attributes):
    """A loss of two tensors of one shape; smaller ones are expanded, as PyTorch does with a warning."""
    shape = broadcast_shape(x.shape, y.shape)
    x, y = [t if tuple(t.shape) == shape else expand(t, shape) for t in (x, y)]
    if x.dtype is not y.dtype:
        from ._dtypes import promote_types

        common = promote_types(x.dtype, y.dtype)
        x, y = cast(x, common), cast(y, common)
    return emit(op, [x, y], attributes, (shape if attributes['reduction'] == 'none' else (), x.dtype))


def mse_loss(input, target, size_average=None, reduce=None, reduction='mean', weight=None):
    if weight is not None:
        raise unsupported('mse_loss with weight')
    return _pairwise('mse_loss', input, target, {'reduction': _reduction(reduction, size_average, reduce)})


def l1_loss(input, target, size_average=None, reduce=None, reduction='mean', weight=None):
    if weight is not None:
        raise unsupported('l1_loss with weight')
    return _pairwise('l1_loss', input, target, {'reduction': _reduction(reduction, size_average, reduce)})


def smooth_l1_loss(input, target, size_average=None, reduce=None, reduction='mean', beta=1.0):
    if beta == 0:
        return l1_loss(input, target, size_average, reduce, reduction)
    return _pairwise(
        'smooth_l1_loss',
        input,
        target,
        {'reduction': _reduction(reduction, size_average, reduce), 'beta': plain(float(beta))},
    )


def huber_loss(input, target, reduction='mean', delta=1.0, weight=None):
    if weight is not None:
        raise unsupported('huber_loss with weight')
    return _pairwise('huber_loss', input, target, {'reduction': _reduction(reduction), 'delta': plain(float(delta))})


def kl_div(input, target, size_average=None, reduce=None, reduction='mean', log_target=False):
    at = {'reduction': _reduction(reduction, size_average, reduce, ('batchmean',)), 'log_target': bool(log_target)}
    return _pairwise('kl_div', input, target, at)


def _classes(input):
    return input.shape[0] if input.ndim == 1 else input.shape[1]


def _check_target(what, input, target):
    expected = () if input.ndim == 1 else (input.shape[0], *input.shape[2:])
    if tuple(target.shape) != expected:
        raise RuntimeError(
            f'{what}: expected a target of class indices of shape {list(expected)} for input {list(input.shape)}, got {list(target.shape)}'
        )
    if target.dtype is not int64:
        raise RuntimeError(f'{what}: expected target of class indices of dtype torch.int64, got {target.dtype!r}')
    return expected


def cross_entropy(
    input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction='mean', label_smoothing=0.0
):
    reduction = _reduction(reduction, size_average, reduce)
    indices = target.dtype.category != 2
    if indices:
        shape = _check_target('cross_entropy', input, target)
    else:
        if tuple(target.shape) != tuple(input.shape):
            raise RuntimeError(
                f'cross_entropy: expected target probabilities of shape {list(input.shape)}, got {list(target.shape)}'
            )
        shape = () if input.ndim == 1 else (input.shape[0], *input.shape[2:])
    operands, flags = _optional(weight=weight)
    at = {
        **flags,
        'target': 'indices' if indices else 'probabilities',
        'reduction': reduction,
        'ignore_index': int(ignore_index),
        'label_smoothing': plain(float(label_smoothing)),
    }
    return emit('cross_entropy', [input, target, *operands], at, (shape if reduction == 'none' else (), input.dtype))


def nll_loss(input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction='mean'):
    reduction = _reduction(reduction, size_average, reduce)
    shape = _check_target('nll_loss', input, target)
    operands, flags = _optional(weight=weight)
    at = {**flags, 'reduction': reduction, 'ignore_index': int(ignore_index)}
    return emit('nll_loss', [input, target, *operands], at, (shape if reduction == 'none' else (), input.dtype))


def _binary_loss(op, input, target, reduction, **optional):
    if tuple(input.shape) != tuple(target.shape):
        raise ValueError(f'Target size ({list(target.shape)}) must be the same as input size ({list(input.shape)})')
    optional = {
        k: t if t is None or tuple(t.shape) == tuple(input.shape) else expand(t, input.shape)
        for k, t in optional.items()
    }
    operands, flags = _optional(**optional)
    return emit(
        op,
        [input, cast(target, input.dtype), *operands],
        {**flags, 'reduction': reduction},
        (input.shape if reduction == 'none' else (), input.dtype),
    )


def binary_cross_entropy(input, target, weight=None, size_average=None, reduce=None, reduction='mean'):
    return _binary_loss(
        'binary_cross_entropy', input, target, _reduction(reduction, size_average, reduce), weight=weight
    )


def binary_cross_entropy_with_logits(
    input, target, weight=None, size_average=None, reduce=None, reduction='mean', pos_weight=None
):
    return _binary_loss(
        'binary_cross_entropy_with_logits',
        input,
        target,
        _reduction(reduction, size_average, reduce),
        weight=weight,
        pos_weight=pos_weight,
    )


def hinge_embedding_loss(input, target, margin=1.0, size_average=None, reduce=None, reduction='mean'):
    loss = add(where(eq(target, 1), input, 0.0), where(eq(target, -1), clamp_min(sub(margin, input), 0), 0.0))
    return _reduce(loss, _reduction(reduction, size_average, reduce))


def margin_ranking_loss(input1, input2, target, margin=0.0, size_average=None, reduce=None, reduction='mean'):
    loss = clamp_min(add(mul(UNARY['neg'](target), sub(input1, input2)), margin), 0)
    return _reduce(loss, _reduction(reduction, size_average, reduce))


def soft_margin_loss(input, target, size_average=None, reduce=None, reduction='mean'):
    return _reduce(
        UNARY['log1p'](UNARY['exp'](mul(UNARY['neg'](target), input))), _reduction(reduction, size_average, reduce)
    )


def cosine_embedding_loss(input1, input2, target, margin=0.0, size_average=None, reduce=None, reduction='mean'):
    similarity = _cosine_for_loss(input1, input2)
    loss = add(
        where(eq(target, 1), sub(1.0, similarity), 0.0),
        where(eq(target, -1), clamp_min(sub(similarity, margin), 0), 0.0),
    )
    return _reduce(loss, _reduction(reduction, size_average, reduce))


def _cosine_for_loss(a, b):
    """ATen's cosine_embedding_loss: products and squared norms with 1e-12 added, then one division."""
    d = -1 if a.ndim == 1 else 1
    square = lambda x: add(sum_(mul(x, x), d), 1e-12)
    return div(sum_(mul(a, b), d), UNARY['sqrt'](mul(square(a), square(b))))


def triplet_margin_loss(
    anchor, positive, negative, margin=1.0, p=2, eps=1e-6, swap=False, size_average=None, reduce=None, reduction='mean'
):
    near, far = pairwise_distance(anchor, positive, p, eps), pairwise_distance(anchor, negative, p, eps)
    if swap:
        from ._pointwise import minimum

        far = minimum(far, pairwise_distance(positive, negative, p, eps))
    return _reduce(clamp_min(add(sub(near, far), margin), 0), _reduction(reduction, size_average, reduce))


def poisson_nll_loss(
    input, target, log_input=True, full=False, size_average=None, eps=1e-8, reduce=None, reduction='mean'
):
    log = UNARY['log']
    loss = sub(UNARY['exp'](input), mul(target, input)) if log_input else sub(input, mul(target, log(add(input, eps))))
    if full:
        stirling = add(sub(mul(target, log(target)), target), mul(log(mul(target, 2 * math.pi)), 0.5))
        loss = add(loss, where(target > 1, stirling, 0.0))
    return _reduce(loss, _reduction(reduction, size_average, reduce))


def gaussian_nll_loss(input, target, var, full=False, eps=1e-6, reduction='mean'):
    if not isinstance(var, Tensor):
        raise unsupported('gaussian_nll_loss with a number as var')
    if var.ndim == input.ndim - 1:
        var = var.unsqueeze(-1)
    v = clamp(var, min=eps)
    difference = sub(input, target)
    loss = mul(add(UNARY['log'](v), div(mul(difference, difference), v)), 0.5)
    return _reduce(add(loss, 0.5 * math.log(2 * math.pi)) if full else loss, reduction)


def multilabel_soft_margin_loss(input, target, weight=None, size_average=None, reduce=None, reduction='mean'):
    from ._pointwise import logsigmoid

    neg = UNARY['neg']
    loss = neg(add(mul(target, logsigmoid(input)), mul(sub(1, target), logsigmoid(neg(input)))))
    loss = mean(loss if weight is None else mul(loss, weight), -1)
    return _reduce(loss, _reduction(reduction, size_average, reduce))


def multi_margin_loss(*args, **kw):
    raise unsupported('multi_margin_loss')


def ctc_loss(*args, **kw):
    raise unsupported('ctc_loss')


__all__ = [
    name
    for name, f in list(globals().items())
    if getattr(f, '__module__', None) == __name__ and not name.startswith('_')
]
