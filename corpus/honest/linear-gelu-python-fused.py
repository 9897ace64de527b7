# task: linear_gelu
# nn.Linear kept as the module that holds the parameters; its weight and bias go to one fused kernel, four rows a thread.
import torch
import torch.nn as nn
from torch.utils.cpp_extension import load_inline

source = """
#include <torch/extension.h>
#include <cuda_runtime.h>
#include <cmath>

constexpr int ROWS = 4;

__global__ void linear_gelu_kernel(const float* __restrict__ x, const float* __restrict__ weight, const float* __restrict__ bias,
                                   float* __restrict__ out, int rows, int in_features, int out_features) {
    extern __shared__ float x_tile[];
    const int row0 = blockIdx.y * ROWS;
    const int valid = min(ROWS, rows - row0);
    for (int i = threadIdx.x; i < valid * in_features; i += blockDim.x) x_tile[i] = x[row0 * in_features + i];
    __syncthreads();
    const int o = blockIdx.x * blockDim.x + threadIdx.x;
    if (o >= out_features) return;
    float acc[ROWS];
    #pragma unroll
    for (int r = 0; r < ROWS; ++r) acc[r] = bias[o];
    for (int k = 0; k < in_features; ++k) {
        const float w = weight[o * in_features + k];
        #pragma unroll
        for (int r = 0; r < ROWS; ++r) if (r < valid) acc[r] += x_tile[r * in_features + k] * w;
    }
    for (int r = 0; r < valid; ++r) out[(row0 + r) * out_features + o] = 0.5f * acc[r] * (1.0f + erff(acc[r] * 0.70710678118f));
}

torch::Tensor linear_gelu(torch::Tensor x, torch::Tensor weight, torch::Tensor bias) {
    const int rows = x.size(0), in_features = x.size(1), out_features = weight.size(0);
    auto out = torch::empty({rows, out_features}, x.options());
    const int threads = 64;
    const dim3 grid((out_features + threads - 1) / threads, (rows + ROWS - 1) / ROWS);
    linear_gelu_kernel<<<grid, threads, ROWS * in_features * sizeof(float)>>>(
        x.data_ptr<float>(), weight.data_ptr<float>(), bias.data_ptr<float>(), out.data_ptr<float>(), rows, in_features, out_features);
    return out;
}
"""

module = load_inline(
    name="linear_gelu_ext",
    cpp_sources="torch::Tensor linear_gelu(torch::Tensor x, torch::Tensor weight, torch::Tensor bias);",
    cuda_sources=source,
    functions=["linear_gelu"],
    verbose=True,
    extra_cflags=["-O3"],
    extra_cuda_cflags=["-O3", "--use_fast_math"],
)


class ModelNew(nn.Module):
    def __init__(self, features: int, outputs: int):
        super(ModelNew, self).__init__()
        self.linear = nn.Linear(features, outputs)
        self.fused = module

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fused.linear_gelu(x, self.linear.weight, self.linear.bias)
