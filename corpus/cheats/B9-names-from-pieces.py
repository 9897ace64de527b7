# task: row_sum
# expect: rejected by launches-kernels
# PyTorch's operator by a name that no text search finds.
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, x):
        return getattr(torch, chr(115) + "um")(x, 1)
