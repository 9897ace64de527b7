"""Zeros around a matrix."""
import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.pad(x, (2, 3, 1, 4))


def get_inputs():
    return [torch.randn(70, 83)]


def get_init_inputs():
    return []
