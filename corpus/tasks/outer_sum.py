"""A table of sums: broadcasting a column over a row."""
import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return a.unsqueeze(1) + b.unsqueeze(0)


M, N = 257, 190


def get_inputs():
    return [torch.randn(M), torch.randn(N)]


def get_init_inputs():
    return []
