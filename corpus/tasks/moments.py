"""Two numbers a row: mean and standard deviation."""
import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()

    def forward(self, x: torch.Tensor):
        return torch.mean(x, dim=1), torch.sqrt(torch.var(x, dim=1, unbiased=False) + 1e-5)


def get_inputs():
    return [torch.randn(150, 613)]


def get_init_inputs():
    return []
