"""One step of a gated recurrent unit, written out: two products, two sigmoids, a tanh, a blend."""
import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, inputs: int, hidden: int):
        super().__init__()
        self.from_input = nn.Linear(inputs, 3 * hidden)
        self.from_state = nn.Linear(hidden, 3 * hidden)

    def forward(self, x: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        xr, xz, xn = self.from_input(x).chunk(3, dim=1)
        hr, hz, hn = self.from_state(h).chunk(3, dim=1)
        r = torch.sigmoid(xr + hr)
        z = torch.sigmoid(xz + hz)
        n = torch.tanh(xn + r * hn)
        return (1 - z) * n + z * h


BATCH, IN, HIDDEN = 33, 40, 52


def get_inputs():
    return [torch.randn(BATCH, IN), torch.randn(BATCH, HIDDEN)]


def get_init_inputs():
    return [IN, HIDDEN]
