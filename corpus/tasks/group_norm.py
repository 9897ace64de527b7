"""Group normalisation of images."""
import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, groups: int, channels: int):
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(x)


GROUPS = 4
CHANNELS = 16


def get_inputs():
    return [torch.randn(4, CHANNELS, 13, 17)]


def get_init_inputs():
    return [GROUPS, CHANNELS]
