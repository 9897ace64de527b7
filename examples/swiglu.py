"""The gate of a SwiGLU block: half of the features, through SiLU, scales the other half.
Pointwise over two strided halves of one tensor."""
import torch
import torch.nn as nn
import torch.nn.functional as F


class Model(nn.Module):
    def __init__(self):
        super().__init__()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gate, value = x.chunk(2, dim=-1)
        return F.silu(gate) * value


rows = 512
features = 2816


def get_inputs():
    return [torch.randn(rows, features)]


def get_init_inputs():
    return []
