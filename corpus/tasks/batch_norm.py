"""Batch normalisation with running statistics, as in inference."""
import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.norm.eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(x)


CHANNELS = 12


def get_inputs():
    return [torch.randn(8, CHANNELS, 11, 13)]


def get_init_inputs():
    return [CHANNELS]
