"""A convolution of every channel by itself."""
import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


CHANNELS = 9


def get_inputs():
    return [torch.randn(3, CHANNELS, 21, 24)]


def get_init_inputs():
    return [CHANNELS]
