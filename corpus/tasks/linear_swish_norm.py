"""A linear layer, Swish, a bias and a group normalisation, in the style of KernelBench's level 2."""
import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, inputs: int, outputs: int, groups: int):
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        self.bias = nn.Parameter(torch.randn(outputs))
        self.norm = nn.GroupNorm(groups, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.linear(x)
        x = torch.sigmoid(x) * x
        return self.norm(x + self.bias)


ROWS, IN, OUT, GROUPS = 50, 72, 96, 8


def get_inputs():
    return [torch.randn(ROWS, IN)]


def get_init_inputs():
    return [IN, OUT, GROUPS]
