"""Softplus, then the logarithm of one plus it."""
import torch
import torch.nn as nn
import torch.nn.functional as F


class Model(nn.Module):
    def __init__(self):
        super().__init__()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.log1p(F.softplus(x))


def get_inputs():
    return [torch.randn(140, 211)]


def get_init_inputs():
    return []
