"""A transformer's feed-forward block: layer norm, a linear layer, GELU, a linear layer back. Try it with --backward: seven gradients."""

import torch
import torch.nn as nn

tokens = 512
dim = 256
hidden = 1024


class Model(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.up = nn.Linear(dim, hidden)
        self.down = nn.Linear(hidden, dim)

    def forward(self, x):
        return self.down(nn.functional.gelu(self.up(self.norm(x))))


def get_inputs():
    return [torch.randn(tokens, dim)]


def get_init_inputs():
    return [dim, hidden]
