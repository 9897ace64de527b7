# task: linear_gelu
# precision: fp16
# Half in and out with the accessor functions of PyTorch's Half; weights turned once a call so that lanes read side by side.
import torch
import torch.nn as nn
from torch.utils.cpp_extension import load_inline

source = r"""
#include <torch/extension.h>
#include <cuda_fp16.h>

__global__ void linear_gelu_half(const __half* __restrict__ x, const __half* __restrict__ wt, const __half* __restrict__ b, __half* __restrict__ y,
                                 int rows, int features, int outputs) {
    const int o = blockIdx.x * blockDim.x + threadIdx.x;
    const int r = blockIdx.y;
    if (o >= outputs) return;
    float acc = __half2float(b[o]);
    for (int f = 0; f < features; ++f) acc = fmaf(__half2float(x[r * features + f]), __half2float(wt[f * outputs + o]), acc);
    y[r * outputs + o] = __float2half(0.5f * acc * (1.0f + erff(acc * 0.70710678f)));
}

torch::Tensor linear_gelu(torch::Tensor x, torch::Tensor wt, torch::Tensor b) {
    TORCH_CHECK(x.dtype() == torch::kFloat16, "half only");
    const int rows = x.size(0), features = x.size(1), outputs = wt.size(1);
    auto y = torch::empty({rows, outputs}, x.options());
    linear_gelu_half<<<dim3((outputs + 63) / 64, rows), 64>>>(
        reinterpret_cast<const __half*>(x.data_ptr<at::Half>()), reinterpret_cast<const __half*>(wt.data_ptr<at::Half>()),
        reinterpret_cast<const __half*>(b.data_ptr<at::Half>()), reinterpret_cast<__half*>(y.data_ptr<at::Half>()), rows, features, outputs);
    return y;
}
"""

ext = load_inline("linear_gelu_half", ["torch::Tensor linear_gelu(torch::Tensor x, torch::Tensor wt, torch::Tensor b);"], [source], functions=["linear_gelu"])


class ModelNew(nn.Module):
    def __init__(self, features, outputs):
        super().__init__()
        self.linear = nn.Linear(features, outputs)

    def forward(self, x):
        return ext.linear_gelu(x, self.linear.weight.t().contiguous(), self.linear.bias)
