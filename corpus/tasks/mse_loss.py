"""Mean squared error."""
import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.mse_loss(x, y)


def get_inputs():
    return [torch.randn(100, 130), torch.randn(100, 130)]


def get_init_inputs():
    return []
