"""A two-dimensional convolution with padding."""
import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


IN, OUT = 6, 10


def get_inputs():
    return [torch.randn(2, IN, 20, 22)]


def get_init_inputs():
    return [IN, OUT]
