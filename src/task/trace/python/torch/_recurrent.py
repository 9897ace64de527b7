"""LSTM, GRU and plain RNN: kept whole as operators; the cells are composed."""

from ._contract import linear
from ._create import zeros
from ._pointwise import UNARY, add, mul, relu, sub
from ._record import unsupported
from ._tensor import emit
from ._views import chunk, copy_reshape


def run(kind, x, state, weights, *, hidden_size, num_layers, bias, batch_first, bidirectional, nonlinearity=None):
    """One whole recurrent layer. `state`: initial states or None; returns (output, final states...)."""
    unbatched = x.ndim == 2
    if x.ndim not in (2, 3):
        raise RuntimeError(f'{kind.upper()}: Expected input to be 2D or 3D, got {x.ndim}D instead')
    directions = 2 if bidirectional else 1
    if x.shape[-1] != weights[0].shape[1]:
        raise RuntimeError(
            f'input.size(-1) must be equal to input_size. Expected {weights[0].shape[1]}, got {x.shape[-1]}'
        )
    if unbatched:
        x = copy_reshape(x, (1, *x.shape) if batch_first else (x.shape[0], 1, x.shape[1]))
    batch = x.shape[0 if batch_first else 1]
    shape = (num_layers * directions, batch, hidden_size)
    count = 2 if kind == 'lstm' else 1
    if state is None:
        states = [zeros(shape, dtype=x.dtype) for _ in range(count)]
    else:
        states = [copy_reshape(s, shape) if unbatched and s.ndim == 2 else s for s in state]
    for s in states:
        if tuple(s.shape) != shape:
            raise RuntimeError(f'Expected hidden size {shape}, got {list(s.shape)}')
    at = {
        'hidden_size': hidden_size,
        'num_layers': num_layers,
        'bias': bool(bias),
        'batch_first': bool(batch_first),
        'bidirectional': bool(bidirectional),
    }
    if nonlinearity is not None:
        at['nonlinearity'] = nonlinearity
    outputs = [((x.shape[0], x.shape[1], hidden_size * directions), x.dtype)] + [(shape, x.dtype)] * count
    y, *final = emit(kind, [x, *states, *weights], at, *outputs)
    if unbatched:
        y = copy_reshape(y, (y.shape[1] if batch_first else y.shape[0], y.shape[2]))
        final = [copy_reshape(s, (shape[0], hidden_size)) for s in final]
    return y, final


def lstm_cell(x, h, c, w_ih, w_hh, b_ih=None, b_hh=None):
    sigmoid, tanh = UNARY['sigmoid'], UNARY['tanh']
    i, f, g, o = chunk(add(linear(x, w_ih, b_ih), linear(h, w_hh, b_hh)), 4, -1)
    c = add(mul(sigmoid(f), c), mul(sigmoid(i), tanh(g)))
    return mul(sigmoid(o), tanh(c)), c


def gru_cell(x, h, w_ih, w_hh, b_ih=None, b_hh=None):
    sigmoid, tanh = UNARY['sigmoid'], UNARY['tanh']
    xr, xz, xn = chunk(linear(x, w_ih, b_ih), 3, -1)
    hr, hz, hn = chunk(linear(h, w_hh, b_hh), 3, -1)
    z = sigmoid(add(xz, hz))
    n = tanh(add(xn, mul(sigmoid(add(xr, hr)), hn)))
    return add(n, mul(z, sub(h, n)))


def rnn_cell(x, h, w_ih, w_hh, b_ih=None, b_hh=None, nonlinearity='tanh'):
    y = add(linear(x, w_ih, b_ih), linear(h, w_hh, b_hh))
    return UNARY['tanh'](y) if nonlinearity == 'tanh' else relu(y)


def packed(*args, **kw):
    raise unsupported('packed sequences')
