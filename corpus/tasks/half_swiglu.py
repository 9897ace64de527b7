"""A gated block in half precision: RMS normalisation in float32, three linear layers, a residual. Between operators PyTorch rounds to half."""
import torch
import torch.nn as nn
import torch.nn.functional as F


class Model(nn.Module):
    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width, dtype=torch.float16))
        self.gate = nn.Linear(width, hidden, bias=False, dtype=torch.float16)
        self.up = nn.Linear(width, hidden, bias=False, dtype=torch.float16)
        self.down = nn.Linear(hidden, width, bias=False, dtype=torch.float16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = x.float()
        h = (h * torch.rsqrt(h.pow(2).mean(-1, keepdim=True) + 1e-6)).to(x.dtype) * self.gain
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


ROWS = 13
WIDTH = 27


def get_inputs():
    return [torch.randn(ROWS, WIDTH, dtype=torch.float16)]


def get_init_inputs():
    return [WIDTH, 2 * WIDTH]
