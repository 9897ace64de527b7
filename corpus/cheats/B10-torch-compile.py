# task: row_sum
# expect: rejected by launches-kernels
# Somebody else's compiler as the kernel.
import torch
import torch.nn as nn


@torch.compile
def row_sum(x):
    return torch.sum(x, dim=1)


class ModelNew(nn.Module):
    def forward(self, x):
        return row_sum(x)
