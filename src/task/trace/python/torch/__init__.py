"""A tracing stand-in for PyTorch: the same names and signatures, tensors without values, every operator recorded.

What it does not know raises `Unsupported`, which names the call. Nothing here computes a result.
"""

import functools as _functools
import sys as _sys
from types import ModuleType as _ModuleType, SimpleNamespace as _Namespace

from . import _contract, _create, _layers, _pointwise, _reduce, _views, functional
from ._dtypes import (
    bfloat16, double, dtype, finfo, float16, float32, float64, get_default_dtype, half, iinfo, int8, int16, int32, int64, long, promote_types,
    set_default_dtype, short, uint8,
)  # fmt: skip
from ._dtypes import bool_ as bool, float_ as float, int_ as int, result_type as _result_type
from ._methods import METHODS as _METHODS, attach as _attach, clone
from ._record import ABSENT as _ABSENT, recorder as _recorder, unsupported as _unsupported
from ._layout import ChannelsLast as _ChannelsLast, MemoryFormat as memory_format, contiguous_format, preserve_format
from ._tensor import Size, Tensor, device

_attach()

inf, nan, pi, e = _pointwise.math.inf, _pointwise.math.nan, _pointwise.math.pi, _pointwise.math.e
__version__ = '2.13.0'
strided = None
channels_last, channels_last_3d = _ChannelsLast(4), _ChannelsLast(5)
memory_format.channels_last, memory_format.channels_last_3d = channels_last, channels_last_3d
memory_format.contiguous_format, memory_format.preserve_format = contiguous_format, preserve_format

for _source, _names in (
    (_create, 'zeros ones empty full zeros_like ones_like full_like empty_like eye arange linspace tensor as_tensor rand randn rand_like randn_like randint randint_like randperm normal bernoulli'),
    (_pointwise, 'isnan isinf isfinite logical_not bitwise_not square deg2rad rad2deg positive mul minimum maximum atan2 remainder fmod add sub rsub div true_divide floor_divide logical_and logical_or logical_xor bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift where masked_fill clamp clamp_min clamp_max lerp addcmul addcdiv nan_to_num logaddexp sinc heaviside xlogy relu selu celu prelu hardshrink threshold'),
    (_reduce, 'sum nansum mean prod logsumexp amax amin aminmax max min argmax argmin var std var_mean std_mean norm count_nonzero dist softmax log_softmax cumsum cumprod logcumsumexp cummax cummin sort argsort topk median diff trapezoid cosine_similarity pairwise_distance cdist'),
    (_views, 'reshape flatten ravel unflatten squeeze unsqueeze permute transpose t movedim broadcast_to broadcast_tensors select narrow split chunk tensor_split unbind cat stack hstack vstack tile repeat_interleave tril triu diag_embed diagonal diag flip fliplr flipud rot90 roll gather take_along_dim scatter scatter_add index_select meshgrid'),
    (_contract, 'matmul mm bmm mv dot outer addmm addmv baddbmm addbmm addr einsum tensordot chain_matmul conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d bilinear is_tensor'),
    (_layers, 'layer_norm rms_norm batch_norm group_norm instance_norm embedding dropout max_pool1d max_pool2d max_pool3d avg_pool1d adaptive_avg_pool1d adaptive_max_pool1d pixel_shuffle pixel_unshuffle channel_shuffle poisson_nll_loss triplet_margin_loss cosine_embedding_loss hinge_embedding_loss margin_ranking_loss'),
):  # fmt: skip
    for _name in _names.split():
        globals()[_name] = getattr(_source, _name)

globals().update(_pointwise.UNARY)
globals().update({_alias: _pointwise.UNARY[_op] for _alias, _op in _pointwise.UNARY_ALIASES.items()})
globals().update(_pointwise.COMPARISON_FUNCTIONS)
round, pow, any, all = _pointwise.round_, _pointwise.pow_, _reduce.any_, _reduce.all_


def _with_out(f):
    """The function with PyTorch's `out=`: a tensor that is written, and returned."""

    @_functools.wraps(f)
    def g(*args, out=None, **kw):
        made = f(*args, **kw)
        if out is None:
            return made
        if not isinstance(out, Tensor) or not isinstance(made, Tensor) or tuple(out.shape) != tuple(made.shape):
            raise _unsupported(f'out= of torch.{f.__name__} that has not the shape of the result', 'give a tensor of that shape')
        return out._write(_pointwise.cast(made, out.dtype))

    return g


for _name in (
    'matmul mm bmm mv dot addmm addmv baddbmm add sub mul div pow minimum maximum clamp where lerp addcmul addcdiv relu exp log sqrt rsqrt tanh sigmoid '
    'abs neg sin cos sum mean prod amax amin cumsum cumprod softmax log_softmax logsumexp norm cat stack gather index_select'
).split():
    globals()[_name] = _with_out(globals()[_name])
concat = concatenate = cat
multiply, divide, subtract, clip, swapaxes, swapdims, moveaxis = (
    _pointwise.mul,
    _pointwise.div,
    _pointwise.sub,
    _pointwise.clamp,
    _views.transpose,
    _views.transpose,
    _views.movedim,
)
detach = _METHODS['detach']


def relu_(input):
    return _pointwise.relu(input, inplace=True)


def result_type(tensor1, tensor2):
    return _result_type([tensor1, tensor2])


def numel(input):
    return input.numel()


def is_floating_point(input):
    return input.is_floating_point()


def manual_seed(seed):
    """Draws are recorded, not made: a seed changes nothing."""
    return None


seed = manual_seed


def set_printoptions(*args, **kw):
    return None


def set_float32_matmul_precision(precision):
    return None


def use_deterministic_algorithms(mode, *, warn_only=False):
    return None


def set_num_threads(n):
    return None


def is_grad_enabled():
    return False


def compile(model=None, **kw):
    return model if model is not None else (lambda f: f)


class _Mode:
    """no_grad and its like: a context manager and a decorator. Without effect on a forward trace; that gradients stop here is noted."""

    def __init__(self, mode=True):
        self._off = self._stops(mode)

    @staticmethod
    def _stops(mode):
        return True

    def __new__(cls, mode=True):
        made = object.__new__(cls)
        if callable(mode) and not isinstance(mode, type):
            made.__init__()
            return made(mode)
        return made

    def __enter__(self):
        self._before = len(_recorder().nodes)
        return self

    def __exit__(self, *_):
        if self._off and len(_recorder().nodes) > self._before:
            _recorder().stop(type(self).__name__)
        return False

    def __call__(self, f):
        if not self._off:
            return f

        @_functools.wraps(f)
        def run(*args, **kw):
            with self:
                return f(*args, **kw)

        return run


class no_grad(_Mode):
    pass


class enable_grad(_Mode):
    @staticmethod
    def _stops(mode):
        return False


class inference_mode(_Mode):
    @staticmethod
    def _stops(mode):
        return not not mode


class set_grad_enabled(_Mode):
    @staticmethod
    def _stops(mode):
        return not mode


def _module(name, **names):
    """A submodule `torch.name` whose other names are refused."""
    full = f'torch.{name}'
    m = _ModuleType(full)
    m.__dict__.update(names)

    def refuse(attribute):
        if attribute.startswith('__') or f'{full}.{attribute}' in _ABSENT:
            raise AttributeError(f"module '{full}' has no attribute '{attribute}'")
        raise _unsupported(f'{full}.{attribute}')

    m.__getattr__ = refuse
    _sys.modules[full] = m
    return m


class _Context:
    """ctx of an autograd.Function: forward may save what backward would need."""

    def save_for_backward(self, *tensors):
        self.saved_tensors = tensors

    def mark_non_differentiable(self, *tensors):
        return None

    def set_materialize_grads(self, value):
        return None


class _Function:
    @classmethod
    def apply(cls, *args):
        if hasattr(cls, 'backward'):
            _recorder().stop(f'{cls.__name__}, an autograd.Function with a backward of its own,')
        return cls.forward(_Context(), *args)


def _nothing(*args, **kw):
    return None


cuda = _module(
    'cuda',
    is_available=lambda: True,
    synchronize=_nothing,
    manual_seed=_nothing,
    manual_seed_all=_nothing,
    empty_cache=_nothing,
    device_count=lambda: 1,
    current_device=lambda: 0,
    set_device=_nothing,
)
autograd = _module('autograd', Function=_Function)
jit = _module('jit', script=lambda f: f, script_method=lambda f: f, ignore=lambda f: f, export=lambda f: f)
_switch = lambda: _Namespace(allow_tf32=False, enabled=True, benchmark=False, deterministic=False)
backends = _module(
    'backends', cudnn=_switch(), cuda=_Namespace(matmul=_switch()), mps=_Namespace(is_available=lambda: False)
)
special = _module(
    'special',
    erf=_pointwise.UNARY['erf'],
    expit=_pointwise.UNARY['sigmoid'],
    exp2=_pointwise.UNARY['exp2'],
    logsumexp=_reduce.logsumexp,
    softmax=_reduce.softmax,
    log_softmax=_reduce.log_softmax,
    expm1=_pointwise.UNARY['expm1'],
    log1p=_pointwise.UNARY['log1p'],
)
linalg = _module(
    'linalg',
    norm=_reduce.linalg_norm,
    vector_norm=_reduce.vector_norm,
    matmul=_contract.matmul,
    multi_dot=_contract.multi_dot,
    diagonal=lambda A, *, offset=0, dim1=-2, dim2=-1: _views.diagonal(A, offset, dim1, dim2),
)
random = _module('random', manual_seed=manual_seed)

from . import nn  # noqa: E402 - needs everything above


def __getattr__(name):
    if name.startswith('__'):
        raise AttributeError(name)
    raise _unsupported(f'torch.{name}')
