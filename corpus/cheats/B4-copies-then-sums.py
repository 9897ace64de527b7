# task: row_sum
# expect: rejected by launches-kernels
# The kernel copies, PyTorch does the work.
import torch
import torch.nn as nn
from torch.utils.cpp_extension import load_inline

source = """
#include <torch/extension.h>

__global__ void copy_kernel(const float* x, float* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = x[i];
}

torch::Tensor copy(torch::Tensor x) {
    auto out = torch::empty_like(x);
    int n = x.numel();
    copy_kernel<<<(n + 255) / 256, 256>>>(x.data_ptr<float>(), out.data_ptr<float>(), n);
    return out;
}
"""
extension = load_inline(
    name="copy", cpp_sources="torch::Tensor copy(torch::Tensor x);", cuda_sources=source, functions=["copy"]
)


class ModelNew(nn.Module):
    def forward(self, x):
        copy = extension.copy(x)
        return torch.sum(copy, dim=1)
