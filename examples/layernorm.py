"""Layer normalisation of the rows of a matrix, with a learned scale and shift.
Mean and variance of a row, then one pass that writes it: memory-bound."""
import torch
import torch.nn as nn
import torch.nn.functional as F


class Model(nn.Module):
    def __init__(self, features: int, eps: float):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(features))
        self.bias = nn.Parameter(torch.randn(features))
        self.eps = eps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.layer_norm(x, (x.shape[-1],), self.weight, self.bias, self.eps)


rows = 1024
features = 768


def get_inputs():
    return [torch.randn(rows, features)]


def get_init_inputs():
    return [features, 1e-5]
