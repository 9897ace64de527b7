"""The layers of torch.nn: parameters as PyTorch registers and draws them, forward through the functions."""

import math

from .. import _contract, _layers as L, _pointwise as pw, _reduce
from .._create import empty, ones, zeros
from .._dtypes import get_default_dtype, int64
from .._record import unsupported
from .._views import flatten, pad, unflatten
from . import init
from .module import Module, Parameter


def _made(shape, dtype, draw):
    t = empty(*shape, dtype=dtype or get_default_dtype())
    return Parameter(draw(t))


def _uniform(bound):
    return lambda t: init.uniform_(t, -bound, bound)


# -- linear and embedding --------------------------------------------------------------------------------------------


class Identity(Module):
    def __init__(self, *args, **kwargs):
        super().__init__()

    def forward(self, input):
        return input


class Linear(Module):
    def __init__(self, in_features, out_features, bias=True, device=None, dtype=None):
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        bound = 1 / math.sqrt(in_features) if in_features > 0 else 0
        self.weight = _made((out_features, in_features), dtype, _uniform(bound))
        self.register_parameter('bias', _made((out_features,), dtype, _uniform(bound)) if bias else None)

    def forward(self, input):
        return _contract.linear(input, self.weight, self.bias)


class Bilinear(Module):
    def __init__(self, in1_features, in2_features, out_features, bias=True, device=None, dtype=None):
        super().__init__()
        self.in1_features, self.in2_features, self.out_features = in1_features, in2_features, out_features
        bound = 1 / math.sqrt(in1_features)
        self.weight = _made((out_features, in1_features, in2_features), dtype, _uniform(bound))
        self.register_parameter('bias', _made((out_features,), dtype, _uniform(bound)) if bias else None)

    def forward(self, input1, input2):
        return _contract.bilinear(input1, input2, self.weight, self.bias)


class Embedding(Module):
    def __init__(
        self,
        num_embeddings,
        embedding_dim,
        padding_idx=None,
        max_norm=None,
        norm_type=2.0,
        scale_grad_by_freq=False,
        sparse=False,
        _weight=None,
        _freeze=False,
        device=None,
        dtype=None,
    ):
        super().__init__()
        if padding_idx is not None:
            padding_idx %= num_embeddings
        self.norm_type, self.scale_grad_by_freq, self.sparse = norm_type, scale_grad_by_freq, sparse
        self.num_embeddings, self.embedding_dim, self.padding_idx, self.max_norm = (
            num_embeddings,
            embedding_dim,
            padding_idx,
            max_norm,
        )

        def draw(t):
            init.normal_(t)
            if padding_idx is not None:
                t[padding_idx] = 0
            return t

        self.weight = Parameter(_weight) if _weight is not None else _made((num_embeddings, embedding_dim), dtype, draw)

    @classmethod
    def from_pretrained(cls, embeddings, freeze=True, **kw):
        return cls(*embeddings.shape, _weight=embeddings, **kw)

    def forward(self, input):
        return L.embedding(input, self.weight, self.padding_idx, self.max_norm, scale_grad_by_freq=self.scale_grad_by_freq)


class Flatten(Module):
    def __init__(self, start_dim=1, end_dim=-1):
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input):
        return flatten(input, self.start_dim, self.end_dim)


class Unflatten(Module):
    def __init__(self, dim, unflattened_size):
        super().__init__()
        self.dim, self.unflattened_size = dim, unflattened_size

    def forward(self, input):
        return unflatten(input, self.dim, self.unflattened_size)


# -- convolutions ----------------------------------------------------------------------------------------------------


class _Conv(Module):
    n = 0
    transposed = False

    def _set_up(
        self,
        in_channels,
        out_channels,
        kernel_size,
        stride,
        padding,
        output_padding,
        dilation,
        groups,
        bias,
        padding_mode,
        dtype,
    ):
        if in_channels % groups or out_channels % groups:
            raise ValueError('in_channels and out_channels must be divisible by groups')
        if padding_mode not in ('zeros', 'reflect', 'replicate', 'circular'):
            raise ValueError(
                f'padding_mode must be one of zeros, reflect, replicate, circular, but got {padding_mode!r}'
            )
        tup = lambda v: tuple(_contract.tuple_of(v, self.n))
        self.in_channels, self.out_channels, self.groups, self.padding_mode = (
            in_channels,
            out_channels,
            groups,
            padding_mode,
        )
        self.kernel_size, self.stride, self.dilation = tup(kernel_size), tup(stride), tup(dilation)
        self.padding = padding if isinstance(padding, str) else tup(padding)
        self.output_padding = tup(output_padding)
        shape = (in_channels, out_channels // groups) if self.transposed else (out_channels, in_channels // groups)
        bound = 1 / math.sqrt(shape[1] * math.prod(self.kernel_size))
        self.weight = _made(shape + self.kernel_size, dtype, _uniform(bound))
        self.register_parameter('bias', _made((out_channels,), dtype, _uniform(bound)) if bias else None)


def _conv_class(n):
    f = (_contract.conv1d, _contract.conv2d, _contract.conv3d)[n - 1]

    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size,
        stride=1,
        padding=0,
        dilation=1,
        groups=1,
        bias=True,
        padding_mode='zeros',
        device=None,
        dtype=None,
    ):
        Module.__init__(self)
        self._set_up(
            in_channels, out_channels, kernel_size, stride, padding, 0, dilation, groups, bias, padding_mode, dtype
        )

    def forward(self, input):
        p = self.padding
        if self.padding_mode != 'zeros':
            if isinstance(p, str):
                total = [d * (k - 1) if p == 'same' else 0 for d, k in zip(self.dilation, self.kernel_size)]
                around = [v for t in reversed(total) for v in (t // 2, t - t // 2)]
            else:
                around = [v for q in reversed(p) for v in (q, q)]
            input, p = pad(input, around, self.padding_mode), 0
        return f(input, self.weight, self.bias, self.stride, p, self.dilation, self.groups)

    return type(f'Conv{n}d', (_Conv,), {'n': n, '__init__': __init__, 'forward': forward})


def _conv_transpose_class(n):
    f = (_contract.conv_transpose1d, _contract.conv_transpose2d, _contract.conv_transpose3d)[n - 1]

    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size,
        stride=1,
        padding=0,
        output_padding=0,
        groups=1,
        bias=True,
        dilation=1,
        padding_mode='zeros',
        device=None,
        dtype=None,
    ):
        Module.__init__(self)
        if padding_mode != 'zeros':
            raise ValueError(f'Only "zeros" padding mode is supported for ConvTranspose{n}d')
        self._set_up(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            output_padding,
            dilation,
            groups,
            bias,
            padding_mode,
            dtype,
        )

    def forward(self, input, output_size=None):
        extra = self.output_padding
        if output_size is not None:
            least = [
                (i - 1) * s - 2 * p + d * (k - 1) + 1
                for i, s, p, d, k in zip(input.shape[-n:], self.stride, self.padding, self.dilation, self.kernel_size)
            ]
            extra = [o - m for o, m in zip(list(output_size)[-n:], least)]
            if any(not 0 <= e < max(s, d) for e, s, d in zip(extra, self.stride, self.dilation)):
                raise ValueError(f'requested an output size of {list(output_size)}, which is out of range')
        return f(input, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation)

    return type(f'ConvTranspose{n}d', (_Conv,), {'n': n, 'transposed': True, '__init__': __init__, 'forward': forward})


Conv1d, Conv2d, Conv3d = [_conv_class(n) for n in (1, 2, 3)]
ConvTranspose1d, ConvTranspose2d, ConvTranspose3d = [_conv_transpose_class(n) for n in (1, 2, 3)]


# -- normalisation ---------------------------------------------------------------------------------------------------


class LayerNorm(Module):
    def __init__(self, normalized_shape, eps=1e-5, elementwise_affine=True, bias=True, device=None, dtype=None):
        super().__init__()
        self.normalized_shape = (
            tuple(normalized_shape) if isinstance(normalized_shape, (tuple, list)) else (normalized_shape,)
        )
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self.register_parameter(
            'weight', _made(self.normalized_shape, dtype, init.ones_) if elementwise_affine else None
        )
        self.register_parameter(
            'bias', _made(self.normalized_shape, dtype, init.zeros_) if elementwise_affine and bias else None
        )

    def forward(self, input):
        return L.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)


class RMSNorm(Module):
    def __init__(self, normalized_shape, eps=None, elementwise_affine=True, device=None, dtype=None):
        super().__init__()
        self.normalized_shape = (
            tuple(normalized_shape) if isinstance(normalized_shape, (tuple, list)) else (normalized_shape,)
        )
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self.register_parameter(
            'weight', _made(self.normalized_shape, dtype, init.ones_) if elementwise_affine else None
        )

    def forward(self, input):
        return L.rms_norm(input, self.normalized_shape, self.weight, self.eps)


class GroupNorm(Module):
    def __init__(self, num_groups, num_channels, eps=1e-5, affine=True, device=None, dtype=None):
        super().__init__()
        if num_channels % num_groups:
            raise ValueError('num_channels must be divisible by num_groups')
        self.num_groups, self.num_channels, self.eps, self.affine = num_groups, num_channels, eps, affine
        self.register_parameter('weight', _made((num_channels,), dtype, init.ones_) if affine else None)
        self.register_parameter('bias', _made((num_channels,), dtype, init.zeros_) if affine else None)

    def forward(self, input):
        if input.shape[1] != self.num_channels:
            raise RuntimeError(
                f'Expected weight to be a vector of size equal to the number of channels in input, but got weight of shape [{self.num_channels}] and input of shape {list(input.shape)}'
            )
        return L.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)


class _BatchNorm(Module):
    ranks = ()
    instance = False

    def __init__(
        self, num_features, eps=1e-5, momentum=0.1, affine=None, track_running_stats=None, device=None, dtype=None
    ):
        super().__init__()
        affine = not self.instance if affine is None else affine
        track = not self.instance if track_running_stats is None else track_running_stats
        self.num_features, self.eps, self.momentum, self.affine, self.track_running_stats = (
            num_features,
            eps,
            momentum,
            affine,
            track,
        )
        self.register_parameter('weight', _made((num_features,), dtype, init.ones_) if affine else None)
        self.register_parameter('bias', _made((num_features,), dtype, init.zeros_) if affine else None)
        d = dtype or get_default_dtype()
        self.register_buffer('running_mean', zeros(num_features, dtype=d) if track else None)
        self.register_buffer('running_var', ones(num_features, dtype=d) if track else None)
        self.register_buffer('num_batches_tracked', zeros((), dtype=int64) if track else None)

    def forward(self, input):
        if input.ndim not in self.ranks:
            raise ValueError(f'expected {" or ".join(f"{r}D" for r in self.ranks)} input (got {input.ndim}D input)')
        unbatched = self.instance and input.ndim == self.ranks[0]
        x = input.unsqueeze(0) if unbatched else input
        if x.shape[1] != self.num_features and (self.affine or self.track_running_stats):
            raise RuntimeError(f'running_mean should contain {x.shape[1]} elements not {self.num_features}')
        own = self.training or self.running_mean is None
        if self.instance:
            y = L.instance_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, own, self.momentum, self.eps
            )
            return y.squeeze(0) if unbatched else y
        return L.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, own, self.momentum, self.eps
        )


def _norm_class(name, ranks, instance=False):
    return type(name, (_BatchNorm,), {'ranks': ranks, 'instance': instance})


BatchNorm1d, BatchNorm2d, BatchNorm3d = [
    _norm_class(f'BatchNorm{n}d', r) for n, r in ((1, (2, 3)), (2, (4,)), (3, (5,)))
]
InstanceNorm1d, InstanceNorm2d, InstanceNorm3d = [
    _norm_class(f'InstanceNorm{n}d', (n + 1, n + 2), True) for n in (1, 2, 3)
]


class SyncBatchNorm(_BatchNorm):
    ranks = (2, 3, 4, 5)


# -- layers without parameters: arguments kept by name, handed to the function ----------------------------------------


def _as_given(given):
    return {}


def _simple(name, f, signature, extra=(), settle=_as_given):
    """
    A module class whose __init__ takes `signature` ('name' or 'name=default', in order) and whose forward is f(*inputs, **those).
    `settle` gives the attributes that PyTorch keeps otherwise than they were given: programs read them.
    """
    names = [s.partition('=')[0] for s in signature]
    defaults = {s.partition('=')[0]: eval(s.partition('=')[2]) for s in signature if '=' in s}  # noqa: S307 - literals below

    def __init__(self, *args, **kw):
        Module.__init__(self)
        if len(args) > len(names) or any(k not in names for k in kw):
            raise TypeError(f'{name}.__init__() got an unexpected argument')
        given = {**defaults, **dict(zip(names, args)), **kw}
        missing = [n for n in names if n not in given]
        if missing:
            raise TypeError(f"{name}.__init__() missing required argument: '{missing[0]}'")
        for k, v in {**given, **settle(given)}.items():
            object.__setattr__(self, k, v)

    def forward(self, *inputs):
        kw = {n: getattr(self, n) for n in names}
        if 'training' in extra:
            kw['training'] = self.training
        return f(*inputs, **kw)

    return type(name, (Module,), {'__init__': __init__, 'forward': forward})


def _pool_stride(given):
    return {'stride': given['kernel_size'] if given['stride'] is None else given['stride']}


def _pool_1d(given):
    """AvgPool1d alone keeps all three as tuples."""
    settled = {**given, **_pool_stride(given)}
    single = {k: settled[k] for k in ('kernel_size', 'stride', 'padding')}
    return {k: tuple(v) if isinstance(v, (tuple, list)) else (v,) for k, v in single.items()}


def _scale_factor(given):
    scale = given['scale_factor']
    if isinstance(scale, tuple):
        return {'scale_factor': tuple(float(s) for s in scale)}
    return {'scale_factor': float(scale) if scale else None}


SETTLED = {
    **{f'{kind}Pool{n}d': _pool_stride for kind in ('Max', 'Avg') for n in (1, 2, 3)},
    'AvgPool1d': _pool_1d,
    'Upsample': _scale_factor,
    'PairwiseDistance': lambda given: {'norm': given['p']},
}
_POOL = ['kernel_size', 'stride=None', 'padding=0']
_REDUCTION = ['size_average=None', 'reduce=None', "reduction='mean'"]
_INPLACE = 'inplace=False'
SIMPLE = {
    'ReLU': (pw.relu, [_INPLACE]), 'ReLU6': (pw.relu6, [_INPLACE]), 'SELU': (pw.selu, [_INPLACE]), 'SiLU': (pw.silu, [_INPLACE]),
    'Mish': (pw.mish, [_INPLACE]), 'Hardsigmoid': (pw.hardsigmoid, [_INPLACE]), 'Hardswish': (pw.hardswish, [_INPLACE]),
    'LeakyReLU': (pw.leaky_relu, ['negative_slope=0.01', _INPLACE]), 'ELU': (pw.elu, ['alpha=1.0', _INPLACE]), 'CELU': (pw.celu, ['alpha=1.0', _INPLACE]),
    'GELU': (pw.gelu, ["approximate='none'"]), 'Sigmoid': (pw.UNARY['sigmoid'], []), 'Tanh': (pw.UNARY['tanh'], []), 'Tanhshrink': (pw.tanhshrink, []),
    'LogSigmoid': (pw.logsigmoid, []), 'Softsign': (pw.softsign, []), 'Softplus': (pw.softplus, ['beta=1.0', 'threshold=20.0']),
    'Softshrink': (pw.softshrink, ['lambd=0.5']), 'Hardshrink': (pw.hardshrink, ['lambd=0.5']), 'Threshold': (pw.threshold, ['threshold', 'value', _INPLACE]),
    'Hardtanh': (pw.hardtanh, ['min_val=-1.0', 'max_val=1.0', _INPLACE]), 'GLU': (pw.glu, ['dim=-1']),
    'Softmax': (_reduce.softmax, ['dim=None']), 'LogSoftmax': (_reduce.log_softmax, ['dim=None']), 'Softmin': (_reduce.softmin, ['dim=None']),
    **{f'MaxPool{n}d': (getattr(L, f'max_pool{n}d'), [*_POOL, 'dilation=1', 'return_indices=False', 'ceil_mode=False']) for n in (1, 2, 3)},
    'AvgPool1d': (L.avg_pool1d, [*_POOL, 'ceil_mode=False', 'count_include_pad=True']),
    **{f'AvgPool{n}d': (getattr(L, f'avg_pool{n}d'), [*_POOL, 'ceil_mode=False', 'count_include_pad=True', 'divisor_override=None']) for n in (2, 3)},
    **{f'AdaptiveAvgPool{n}d': (getattr(L, f'adaptive_avg_pool{n}d'), ['output_size']) for n in (1, 2, 3)},
    **{f'AdaptiveMaxPool{n}d': (getattr(L, f'adaptive_max_pool{n}d'), ['output_size', 'return_indices=False']) for n in (1, 2, 3)},
    **{f'LPPool{n}d': (getattr(L, f'lp_pool{n}d'), ['norm_type', 'kernel_size', 'stride=None', 'ceil_mode=False']) for n in (1, 2, 3)},
    'Upsample': (L.interpolate, ['size=None', 'scale_factor=None', "mode='nearest'", 'align_corners=None', 'recompute_scale_factor=None']),
    'PixelShuffle': (L.pixel_shuffle, ['upscale_factor']), 'PixelUnshuffle': (L.pixel_unshuffle, ['downscale_factor']),
    'ChannelShuffle': (L.channel_shuffle, ['groups']), 'Unfold': (L.unfold, ['kernel_size', 'dilation=1', 'padding=0', 'stride=1']),
    'LocalResponseNorm': (L.local_response_norm, ['size', 'alpha=1e-4', 'beta=0.75', 'k=1.0']),
    'CosineSimilarity': (_reduce.cosine_similarity, ['dim=1', 'eps=1e-8']), 'PairwiseDistance': (_reduce.pairwise_distance, ['p=2.0', 'eps=1e-6', 'keepdim=False']),
    'MSELoss': (L.mse_loss, _REDUCTION), 'L1Loss': (L.l1_loss, _REDUCTION), 'SmoothL1Loss': (L.smooth_l1_loss, [*_REDUCTION, 'beta=1.0']),
    'HuberLoss': (L.huber_loss, ["reduction='mean'", 'delta=1.0']), 'KLDivLoss': (L.kl_div, [*_REDUCTION, 'log_target=False']),
    'HingeEmbeddingLoss': (L.hinge_embedding_loss, ['margin=1.0', *_REDUCTION]), 'MarginRankingLoss': (L.margin_ranking_loss, ['margin=0.0', *_REDUCTION]),
    'CosineEmbeddingLoss': (L.cosine_embedding_loss, ['margin=0.0', *_REDUCTION]), 'SoftMarginLoss': (L.soft_margin_loss, _REDUCTION),
    'TripletMarginLoss': (L.triplet_margin_loss, ['margin=1.0', 'p=2.0', 'eps=1e-6', 'swap=False', *_REDUCTION]),
    'PoissonNLLLoss': (L.poisson_nll_loss, ['log_input=True', 'full=False', 'size_average=None', 'eps=1e-8', 'reduce=None', "reduction='mean'"]),
    'GaussianNLLLoss': (L.gaussian_nll_loss, ['full=False', 'eps=1e-6', "reduction='mean'"]),
}  # fmt: skip
globals().update({n: _simple(n, f, signature, settle=SETTLED.get(n, _as_given)) for n, (f, signature) in SIMPLE.items()})
DROPOUTS = {
    'Dropout': L.dropout,
    'Dropout1d': L.dropout1d,
    'Dropout2d': L.dropout2d,
    'Dropout3d': L.dropout3d,
    'AlphaDropout': L.alpha_dropout,
}
globals().update({name: _simple(name, f, ['p=0.5', _INPLACE], ('training',)) for name, f in DROPOUTS.items()})


class UpsamplingNearest2d(globals()['Upsample']):
    def __init__(self, size=None, scale_factor=None):
        super().__init__(size, scale_factor, 'nearest')


class UpsamplingBilinear2d(globals()['Upsample']):
    def __init__(self, size=None, scale_factor=None):
        super().__init__(size, scale_factor, 'bilinear', True)


class PReLU(Module):
    def __init__(self, num_parameters=1, init=0.25, device=None, dtype=None):
        super().__init__()
        self.num_parameters, self.init = num_parameters, init
        self.weight = _made((num_parameters,), dtype, lambda t: t.fill_(init))

    def forward(self, input):
        return pw.prelu(input, self.weight)


class Softmax2d(Module):
    def forward(self, input):
        return _reduce.softmax(input, -3)


def _pad_class(name, n, mode):
    def __init__(self, padding, value=0.0):
        Module.__init__(self)
        self.padding = tuple(padding) if isinstance(padding, (tuple, list)) else (padding,) * (2 * n)
        self.value = value

    def forward(self, input):
        return pad(input, self.padding, mode, self.value)

    return type(name, (Module,), {'__init__': __init__, 'forward': forward})


PADS = {
    f'{kind}Pad{n}d': _pad_class(f'{kind}Pad{n}d', n, mode)
    for kind, mode in (
        ('Constant', 'constant'),
        ('Zero', 'constant'),
        ('Reflection', 'reflect'),
        ('Replication', 'replicate'),
        ('Circular', 'circular'),
    )
    for n in (1, 2, 3)
}
globals().update(PADS)


# -- losses with weights ---------------------------------------------------------------------------------------------


class _WeightedLoss(Module):
    names = ()
    defaults = {}
    function = None

    def __init__(
        self, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction='mean', label_smoothing=0.0
    ):
        super().__init__()
        if size_average is not None or reduce is not None:
            raise unsupported('size_average and reduce', 'use reduction=')
        self.register_buffer('weight', weight)
        self.ignore_index, self.reduction, self.label_smoothing = ignore_index, reduction, label_smoothing


class CrossEntropyLoss(_WeightedLoss):
    def forward(self, input, target):
        return L.cross_entropy(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class NLLLoss(_WeightedLoss):
    def forward(self, input, target):
        return L.nll_loss(input, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction)


class BCELoss(Module):
    def __init__(self, weight=None, size_average=None, reduce=None, reduction='mean'):
        super().__init__()
        self.register_buffer('weight', weight)
        self.reduction = reduction

    def forward(self, input, target):
        return L.binary_cross_entropy(input, target, self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(Module):
    def __init__(self, weight=None, size_average=None, reduce=None, reduction='mean', pos_weight=None):
        super().__init__()
        self.register_buffer('weight', weight)
        self.register_buffer('pos_weight', pos_weight)
        self.reduction = reduction

    def forward(self, input, target):
        return L.binary_cross_entropy_with_logits(
            input, target, self.weight, reduction=self.reduction, pos_weight=self.pos_weight
        )


class MultiLabelSoftMarginLoss(Module):
    def __init__(self, weight=None, size_average=None, reduce=None, reduction='mean'):
        super().__init__()
        self.register_buffer('weight', weight)
        self.reduction = reduction

    def forward(self, input, target):
        return L.multilabel_soft_margin_loss(input, target, self.weight, reduction=self.reduction)


class TripletMarginWithDistanceLoss(Module):
    def __init__(self, *, distance_function=None, margin=1.0, swap=False, reduction='mean'):
        super().__init__()
        self.distance_function = distance_function or _reduce.pairwise_distance
        self.margin, self.swap, self.reduction = margin, swap, reduction

    def forward(self, anchor, positive, negative):
        near, far = self.distance_function(anchor, positive), self.distance_function(anchor, negative)
        if self.swap:
            far = pw.minimum(far, self.distance_function(positive, negative))
        return L._reduce(pw.clamp_min(pw.add(pw.sub(near, far), self.margin), 0), self.reduction)
