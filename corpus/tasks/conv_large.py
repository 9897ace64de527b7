"""A convolution of a batch of photographs: try it with --scale."""
import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.conv(x))


BATCH = 32
IN = 32
OUT = 64
SIZE = 112


def get_inputs():
    return [torch.randn(BATCH, IN, SIZE, SIZE)]


def get_init_inputs():
    return [IN, OUT]
