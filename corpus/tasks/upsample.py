"""Every pixel four times."""
import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.interpolate(x, scale_factor=2, mode="nearest")


def get_inputs():
    return [torch.randn(2, 5, 18, 21)]


def get_init_inputs():
    return []
