"""A comparison: the output is boolean."""
import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return a > b


def get_inputs():
    return [torch.randn(90, 131), torch.randn(90, 131)]


def get_init_inputs():
    return []
