"""A strided convolution, a ReLU and a maximum over windows. Try it with --backward: the gradients of the image, the weight and the bias."""

import torch
import torch.nn as nn

batch_size = 16
channels = 12
features = 24
size = 63


class Model(nn.Module):
    def __init__(self, channels, features):
        super().__init__()
        self.conv = nn.Conv2d(channels, features, kernel_size=3, stride=2, padding=1)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        return self.pool(torch.relu(self.conv(x)))


def get_inputs():
    return [torch.randn(batch_size, channels, size, size)]


def get_init_inputs():
    return [channels, features]
