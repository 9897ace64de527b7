"""torch.nn.functional: the names PyTorch gives the operators there."""

from .._contract import (
    bilinear, conv1d, conv2d, conv3d, conv_transpose1d, conv_transpose2d, conv_transpose3d, linear, scaled_dot_product_attention,
)  # fmt: skip
from .._layers import *  # noqa: F403
from .._pointwise import (
    UNARY, celu, elu, gelu, glu, hardshrink, hardsigmoid, hardswish, hardtanh, leaky_relu, logsigmoid, mish, prelu, relu, relu6, selu, silu,
    softplus, softshrink, softsign, tanhshrink, threshold,
)  # fmt: skip
from .._record import unsupported
from .._reduce import cosine_similarity, log_softmax, normalize, pairwise_distance, softmax, softmin
from .._views import pad
from .attention import multi_head_attention_forward

tanh, sigmoid = UNARY['tanh'], UNARY['sigmoid']


def relu_(input):
    return relu(input, inplace=True)


def leaky_relu_(input, negative_slope=0.01):
    return leaky_relu(input, negative_slope, inplace=True)


def elu_(input, alpha=1.0):
    return elu(input, alpha, inplace=True)


def rrelu(input, lower=1.0 / 8, upper=1.0 / 3, training=False, inplace=False):
    if training:
        raise unsupported('rrelu in training')
    return leaky_relu(input, (lower + upper) / 2, inplace)


def __getattr__(name):
    if name.startswith('__'):
        raise AttributeError(name)
    raise unsupported(f'torch.nn.functional.{name}')
