"""torch.nn.init: how a parameter is drawn, recorded as its draw."""

import math

from .._create import eye as eye_matrix, fill_, normal_ as _normal, uniform_ as _uniform
from .._record import unsupported


def calculate_gain(nonlinearity, param=None):
    fixed = {'tanh': 5.0 / 3, 'relu': math.sqrt(2.0), 'selu': 3.0 / 4}
    if nonlinearity == 'leaky_relu':
        slope = 0.01 if param is None else param
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity in fixed:
        return fixed[nonlinearity]
    if nonlinearity in ('linear', 'sigmoid') or nonlinearity.startswith('conv'):
        return 1.0
    raise ValueError(f'Unsupported nonlinearity {nonlinearity}')


def _calculate_fan_in_and_fan_out(tensor):
    if tensor.ndim < 2:
        raise ValueError('Fan in and fan out can not be computed for tensor with fewer than 2 dimensions')
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def uniform_(tensor, a=0.0, b=1.0, generator=None):
    return _uniform(tensor, a, b)


def normal_(tensor, mean=0.0, std=1.0, generator=None):
    return _normal(tensor, mean, std)


def trunc_normal_(tensor, mean=0.0, std=1.0, a=-2.0, b=2.0, generator=None):
    """Recorded as a normal clamped to [a, b]: PyTorch redraws outside instead, which a hint need not tell apart."""
    return tensor._write(_normal(tensor.clone(), mean, std).clamp(a, b))


def constant_(tensor, val):
    return fill_(tensor, val)


def zeros_(tensor):
    return fill_(tensor, 0)


def ones_(tensor):
    return fill_(tensor, 1)


def eye_(tensor):
    return tensor._write(eye_matrix(*tensor.shape, dtype=tensor.dtype))


def xavier_uniform_(tensor, gain=1.0, generator=None):
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    bound = gain * math.sqrt(6.0 / (fan_in + fan_out))
    return _uniform(tensor, -bound, bound)


def xavier_normal_(tensor, gain=1.0, generator=None):
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    return _normal(tensor, 0.0, gain * math.sqrt(2.0 / (fan_in + fan_out)))


def _kaiming(tensor, a, mode, nonlinearity):
    fan = _calculate_fan_in_and_fan_out(tensor)[0 if mode == 'fan_in' else 1]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def kaiming_uniform_(tensor, a=0, mode='fan_in', nonlinearity='leaky_relu', generator=None):
    bound = math.sqrt(3.0) * _kaiming(tensor, a, mode, nonlinearity)
    return _uniform(tensor, -bound, bound)


def kaiming_normal_(tensor, a=0, mode='fan_in', nonlinearity='leaky_relu', generator=None):
    return _normal(tensor, 0.0, _kaiming(tensor, a, mode, nonlinearity))


def __getattr__(name):
    if name.startswith('__'):
        raise AttributeError(name)
    raise unsupported(f'torch.nn.init.{name}')
