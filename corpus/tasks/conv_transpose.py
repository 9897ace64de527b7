"""A transposed convolution with stride: every input pixel spreads over a window of the output."""
import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.conv = nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


IN, OUT = 6, 5


def get_inputs():
    return [torch.randn(2, IN, 11, 13)]


def get_init_inputs():
    return [IN, OUT]
