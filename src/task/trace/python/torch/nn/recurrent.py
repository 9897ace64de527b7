"""nn.LSTM, GRU, RNN and their cells."""

import math

from .. import _recurrent
from .._create import zeros
from .._record import unsupported
from .._tensor import Tensor
from .layers import _made, _uniform
from .module import Module


class _Recurrent(Module):
    kind = ''
    gates = 1

    def __init__(
        self,
        input_size,
        hidden_size,
        num_layers=1,
        bias=True,
        batch_first=False,
        dropout=0.0,
        bidirectional=False,
        proj_size=0,
        device=None,
        dtype=None,
    ):
        super().__init__()
        if proj_size:
            raise unsupported(f'{type(self).__name__} with proj_size')
        self.input_size, self.hidden_size, self.num_layers, self.bias = input_size, hidden_size, num_layers, bias
        self.batch_first, self.dropout, self.bidirectional = batch_first, float(dropout), bidirectional
        self.mode, self.proj_size = self.kind.upper(), proj_size
        bound = 1 / math.sqrt(hidden_size) if hidden_size > 0 else 0
        rows, self._names = self.gates * hidden_size, []
        for layer in range(num_layers):
            width = input_size if layer == 0 else hidden_size * (2 if bidirectional else 1)
            for suffix in ('', '_reverse') if bidirectional else ('',):
                shapes = [('weight_ih', (rows, width)), ('weight_hh', (rows, hidden_size))] + (
                    [('bias_ih', (rows,)), ('bias_hh', (rows,))] if bias else []
                )
                for name, shape in shapes:
                    full = f'{name}_l{layer}{suffix}'
                    self._names.append(full)
                    setattr(self, full, _made(shape, dtype, _uniform(bound)))

    def flatten_parameters(self):
        return None

    def _run(self, input, state, **kw):
        if not isinstance(input, Tensor):
            raise _recurrent.packed()
        if self.dropout and self.training and self.num_layers > 1:
            raise unsupported(f'{type(self).__name__} with dropout between layers in training')
        return _recurrent.run(
            self.kind, input, state, [getattr(self, n) for n in self._names], hidden_size=self.hidden_size, num_layers=self.num_layers,
            bias=self.bias, batch_first=self.batch_first, bidirectional=self.bidirectional, **kw,
        )  # fmt: skip


class LSTM(_Recurrent):
    kind, gates = 'lstm', 4

    def forward(self, input, hx=None):
        y, (h, c) = self._run(input, hx)
        return y, (h, c)


class GRU(_Recurrent):
    kind, gates = 'gru', 3

    def forward(self, input, hx=None):
        y, (h,) = self._run(input, None if hx is None else [hx])
        return y, h


class RNN(_Recurrent):
    kind = 'rnn'

    def __init__(
        self,
        input_size,
        hidden_size,
        num_layers=1,
        nonlinearity='tanh',
        bias=True,
        batch_first=False,
        dropout=0.0,
        bidirectional=False,
        device=None,
        dtype=None,
    ):
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0, device, dtype
        )
        self.nonlinearity, self.mode = nonlinearity, f'RNN_{nonlinearity.upper()}'

    def forward(self, input, hx=None):
        y, (h,) = self._run(input, None if hx is None else [hx], nonlinearity=self.nonlinearity)
        return y, h


class _Cell(Module):
    gates = 1

    def __init__(self, input_size, hidden_size, bias=True, device=None, dtype=None):
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        bound = 1 / math.sqrt(hidden_size) if hidden_size > 0 else 0
        rows = self.gates * hidden_size
        self.weight_ih = _made((rows, input_size), dtype, _uniform(bound))
        self.weight_hh = _made((rows, hidden_size), dtype, _uniform(bound))
        self.register_parameter('bias_ih', _made((rows,), dtype, _uniform(bound)) if bias else None)
        self.register_parameter('bias_hh', _made((rows,), dtype, _uniform(bound)) if bias else None)

    def _state(self, input, hx):
        return zeros(*input.shape[:-1], self.hidden_size, dtype=input.dtype) if hx is None else hx

    def _weights(self):
        return self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh


class LSTMCell(_Cell):
    gates = 4

    def forward(self, input, hx=None):
        h, c = hx if hx is not None else (self._state(input, None), self._state(input, None))
        return _recurrent.lstm_cell(input, h, c, *self._weights())


class GRUCell(_Cell):
    gates = 3

    def forward(self, input, hx=None):
        return _recurrent.gru_cell(input, self._state(input, hx), *self._weights())


class RNNCell(_Cell):
    def __init__(self, input_size, hidden_size, bias=True, nonlinearity='tanh', device=None, dtype=None):
        super().__init__(input_size, hidden_size, bias, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input, hx=None):
        return _recurrent.rnn_cell(input, self._state(input, hx), *self._weights(), self.nonlinearity)
