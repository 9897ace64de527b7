# task: gelu_bias
# A PYBIND11_MODULE of its own, flags, a fallback that is never taken, and a parameter bound by its name.
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.cpp_extension import load_inline

cuda_source = r"""
#include <torch/extension.h>
#include <c10/cuda/CUDAException.h>

__global__ void gelu_bias_kernel(const float* __restrict__ x, const float* __restrict__ bias, float* __restrict__ y,
                                 int features, long long count) {
    long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (i >= count) return;
    float v = x[i] + bias[i % features];
    y[i] = 0.5f * v * (1.0f + erff(v * 0.70710678f));
}

torch::Tensor gelu_bias(torch::Tensor x, torch::Tensor bias, int64_t threads) {
    TORCH_CHECK(x.is_cuda(), "x must be a CUDA tensor");
    auto y = torch::empty_like(x);
    const long long count = x.numel();
    gelu_bias_kernel<<<(count + threads - 1) / threads, threads>>>(
        x.data_ptr<float>(), bias.data_ptr<float>(), y.data_ptr<float>(), bias.size(0), count);
    C10_CUDA_KERNEL_LAUNCH_CHECK();
    return y;
}

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {
    m.def("gelu_bias", &gelu_bias, py::arg("x"), py::arg("bias"), py::arg("threads") = 128);
}
"""

fused = load_inline(name="gelu_bias", cpp_sources="", cuda_sources=cuda_source, extra_cuda_cflags=["-O3", "--ptxas-options=-v"], verbose=False)


class ModelNew(nn.Module):
    def __init__(self, features: int):
        super().__init__()
        self.bias = nn.Parameter(torch.randn(features))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not x.is_cuda:
            return F.gelu(x + self.bias)
        return fused.gelu_bias(x.contiguous(), self.bias, threads=256)
