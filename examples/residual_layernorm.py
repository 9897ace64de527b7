"""A residual sum and its layer normalisation; both are returned, as in a transformer block.
One kernel can read two tensors and write two, and nothing else."""
import torch
import torch.nn as nn
import torch.nn.functional as F


class Model(nn.Module):
    def __init__(self, features: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(features))
        self.bias = nn.Parameter(torch.randn(features))

    def forward(self, x: torch.Tensor, residual: torch.Tensor):
        total = x + residual
        return F.layer_norm(total, (total.shape[-1],), self.weight, self.bias), total


rows = 768
features = 640


def get_inputs():
    return [torch.randn(rows, features), torch.randn(rows, features)]


def get_init_inputs():
    return [features]
