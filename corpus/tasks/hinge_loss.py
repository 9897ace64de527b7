"""The hinge loss against targets of -1 and 1, as in KernelBench's level 1, 100: by the law of large numbers close to 1."""
import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()

    def forward(self, predictions: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return torch.mean(torch.clamp(1 - predictions * targets, min=0))


rows = 768
columns = 512


def get_inputs():
    return [torch.rand(rows, columns), torch.randint(0, 2, (rows, columns)).float() * 2 - 1]


def get_init_inputs():
    return []
