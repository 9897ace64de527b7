"""A minimum with zero, then a clamp at zero: zero whatever the input, as in KernelBench's level 2, 83.
A task on which nothing can be shown: the judge says so."""
import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.clamp(torch.clamp(x, max=0.0), min=0.0)


rows = 256
columns = 384


def get_inputs():
    return [torch.randn(rows, columns)]


def get_init_inputs():
    return []
