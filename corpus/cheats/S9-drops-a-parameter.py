# task: layernorm
# expect: rejected by values
# ModelNew has no scale, and `strict=False` would load the rest without a word.
import torch
import torch.nn as nn
from torch.utils.cpp_extension import load_inline

source = """
#include <torch/extension.h>

__global__ void shift_kernel(const float* x, const float* bias, float* out, int columns, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = x[i] + bias[i % columns];
}

torch::Tensor shift(torch::Tensor x, torch::Tensor bias) {
    auto out = torch::empty_like(x);
    int n = x.numel();
    shift_kernel<<<(n + 255) / 256, 256>>>(x.data_ptr<float>(), bias.data_ptr<float>(), out.data_ptr<float>(), x.size(1), n);
    return out;
}
"""
extension = load_inline(
    name="shift", cpp_sources="torch::Tensor shift(torch::Tensor x, torch::Tensor bias);", cuda_sources=source, functions=["shift"]
)


class ModelNew(nn.Module):
    def __init__(self, features, eps):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(features))

    def forward(self, x):
        return extension.shift(x, self.bias)
