"""A convolution with stride and without padding, then a rectifier."""
import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 5, stride=2, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.conv(x))


IN, OUT = 4, 8


def get_inputs():
    return [torch.randn(2, IN, 25, 23)]


def get_init_inputs():
    return [IN, OUT]
