"""A row maximum minus its mean over the one column that is left, then GELU: zero whatever the input, as in KernelBench's level 2, 80."""
import torch
import torch.nn as nn
import torch.nn.functional as F


class Model(nn.Module):
    def __init__(self):
        super().__init__()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        greatest = torch.max(x, dim=1, keepdim=True).values
        return F.gelu(greatest - greatest.mean(dim=1, keepdim=True))


rows = 512
columns = 384


def get_inputs():
    return [torch.randn(rows, columns)]


def get_init_inputs():
    return []
