# task: row_sum
# expect: rejected by launches-kernels
# The reference under another name.
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, x):
        return torch.sum(x, dim=1)
