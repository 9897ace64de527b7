# task: row_sum
# expect: unjudgeable processes
# Fetches a library while it runs.
import torch
import torch.nn as nn
import os

os.system("pip install fast-row-sum")


class ModelNew(nn.Module):
    def forward(self, x):
        return torch.sum(x, dim=1)
