"""Autocast in submissions: operators take their operands in the types that PyTorch's CUDA autocast gives them (ATen/autocast_mode.h).

That changes the precision of what PyTorch's operators compute, which is told. Kernels of extensions see no autocast.
"""

import functools

from ._dtypes import bfloat16, float16, float32
from ._record import recorder, unsupported

# Operators of the recorder: in the lower type, or in float32. All others go on in the type that they are given.
LOWER = frozenset(
    'matmul linear conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d einsum scaled_dot_product_attention'.split()
)
SINGLE = frozenset(
    'acos asin cosh erfinv exp expm1 log log10 log2 log1p reciprocal rsqrt sinh tan pow softplus layer_norm group_norm norm dist cdist logsumexp '
    'softmax log_softmax sum prod cumsum cumprod cross_entropy nll_loss mse_loss l1_loss smooth_l1_loss huber_loss kl_div '
    'binary_cross_entropy_with_logits interpolate'.split()
)
REFUSED = frozenset('lstm gru rnn prelu binary_cross_entropy'.split())

_active = []  # the types of the regions around, None for one that is switched off


def lower():
    """The type that autocast lowers to, or None."""
    return _active[-1] if _active else None


def operands(op, inputs, outputs):
    """What an operator is really given, and (shape, dtype) of what it then makes."""
    low = lower()
    if low is None:
        return inputs, outputs
    if op in REFUSED:
        raise unsupported(f'{op} under autocast', 'call it outside, in the type that is meant')
    target = low if op in LOWER else float32 if op in SINGLE else None
    if target is None:
        return inputs, outputs
    from ._pointwise import cast

    narrow = (float16, bfloat16, float32)
    return (
        [cast(t, target) if t.dtype in narrow else t for t in inputs],
        [(shape, target if dtype in narrow else dtype) for shape, dtype in outputs],
    )


class autocast:
    """torch.autocast and its older names: a context and a decorator."""

    def __init__(self, device_type='cuda', dtype=None, enabled=True, cache_enabled=None):
        self._dtype = (dtype or float16) if enabled and device_type == 'cuda' else None

    def __enter__(self):
        if self._dtype is not None and self._dtype is not float32:
            recorder().remark(
                f"autocast: PyTorch's operators of this part compute in {self._dtype.name}, as PyTorch would. That changes the precision of the result."
            )
        _active.append(None if self._dtype is float32 else self._dtype)
        return self

    def __exit__(self, *_):
        _active.pop()
        return False

    def __call__(self, f):
        @functools.wraps(f)
        def run(*args, **kw):
            with self:
                return f(*args, **kw)

        return run


class cuda_autocast(autocast):
    """torch.cuda.amp.autocast."""

    def __init__(self, enabled=True, dtype=None, cache_enabled=True):
        super().__init__('cuda', dtype, enabled, cache_enabled)


def custom_fwd(fwd=None, *, device_type='cuda', cast_inputs=None):
    """The decorator of an autograd.Function's forward; without `cast_inputs` it changes nothing in a forward pass."""
    if cast_inputs is not None:
        raise unsupported('custom_fwd(cast_inputs=...)', 'cast the operands in forward')
    return fwd if fwd is not None else (lambda f: f)


def custom_bwd(bwd=None, *, device_type='cuda'):
    return bwd if bwd is not None else (lambda f: f)


def is_autocast_enabled(device_type='cuda'):
    return lower() is not None


def get_autocast_dtype(device_type='cuda'):
    return lower() or float16
