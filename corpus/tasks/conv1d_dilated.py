"""A one-dimensional convolution with dilation."""
import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, 3, dilation=4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


IN, OUT = 8, 12


def get_inputs():
    return [torch.randn(4, IN, 150)]


def get_init_inputs():
    return [IN, OUT]
