"""A linear layer with GELU."""
import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, features: int, outputs: int):
        super().__init__()
        self.linear = nn.Linear(features, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.gelu(self.linear(x))


ROWS, FEATURES, OUTPUTS = 64, 120, 72


def get_inputs():
    return [torch.randn(ROWS, FEATURES)]


def get_init_inputs():
    return [FEATURES, OUTPUTS]
