"""Rotary position embedding: pairs of features, half a head apart, turned by the angle of their position."""
import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()

    def forward(self, x: torch.Tensor, angles: torch.Tensor) -> torch.Tensor:
        first, second = x.chunk(2, dim=-1)
        cos, sin = torch.cos(angles), torch.sin(angles)
        return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


HEADS, T, D = 6, 40, 48


def get_inputs():
    return [torch.randn(HEADS, T, D), torch.rand(T, D // 2) * 6.0]


def get_init_inputs():
    return []
