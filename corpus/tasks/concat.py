"""Two tensors one after the other."""
import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return torch.cat([a, b], dim=1)


def get_inputs():
    return [torch.randn(60, 90), torch.randn(60, 47)]


def get_init_inputs():
    return []
