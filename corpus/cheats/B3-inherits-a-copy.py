# task: row_sum
# expect: rejected by launches-kernels
# The reference, pasted and inherited.
import torch
import torch.nn as nn


class Model(nn.Module):
    def forward(self, x):
        return torch.sum(x, dim=1)


class ModelNew(Model):
    pass
