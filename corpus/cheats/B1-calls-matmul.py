# task: matmul
# expect: rejected by launches-kernels
# PyTorch's product, and a kernel that is defined and never called.
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, a, b):
        return a @ b
