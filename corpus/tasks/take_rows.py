"""Rows of a table by their numbers, multiplied by a weight each."""
import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()

    def forward(self, table: torch.Tensor, ids: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        return table[ids] * w.unsqueeze(1)


def get_inputs():
    return [torch.randn(200, 50), torch.randint(0, 200, (333,)), torch.randn(333)]


def get_init_inputs():
    return []
