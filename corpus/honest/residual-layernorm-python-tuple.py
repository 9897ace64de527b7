# task: residual_layernorm
# scale: 100000
# Two kernels, the second in place over its own output; a module that returns a tuple.
import torch
import torch.nn as nn
from torch.utils.cpp_extension import load_inline

src = """
#include <torch/extension.h>
#include <ATen/cuda/CUDAContext.h>

__global__ void add_rows(const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ c, float* __restrict__ d, int64_t n) {
    for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += (int64_t)gridDim.x * blockDim.x) {
        const float v = a[i] + b[i];
        c[i] = v;
        d[i] = v;
    }
}

__global__ void norm_rows(float* __restrict__ y, const float* __restrict__ w, const float* __restrict__ b, int n, float eps) {
    float* row = y + (int64_t)blockIdx.x * n;
    __shared__ float2 part[4];
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    float sum = 0;
    for (int i = threadIdx.x; i < n; i += 128) sum += row[i];
    for (int o = 16; o > 0; o >>= 1) sum += __shfl_xor_sync(0xffffffff, sum, o);
    if (lane == 0) part[warp].x = sum;
    __syncthreads();
    const float mean = (part[0].x + part[1].x + part[2].x + part[3].x) / n;
    float sq = 0;
    for (int i = threadIdx.x; i < n; i += 128) sq += (row[i] - mean) * (row[i] - mean);
    for (int o = 16; o > 0; o >>= 1) sq += __shfl_xor_sync(0xffffffff, sq, o);
    if (lane == 0) part[warp].y = sq;
    __syncthreads();
    const float inv = rsqrtf((part[0].y + part[1].y + part[2].y + part[3].y) / n + eps);
    for (int i = threadIdx.x; i < n; i += 128) row[i] = (row[i] - mean) * inv * w[i] + b[i];
}

std::vector<torch::Tensor> add_norm(torch::Tensor x, torch::Tensor residual, torch::Tensor w, torch::Tensor b, double eps) {
    auto stream = at::cuda::getCurrentCUDAStream();
    auto total = torch::empty_like(x);
    auto y = torch::empty_like(x);
    const int64_t n = x.numel();
    add_rows<<<std::min<int64_t>((n + 255) / 256, 1056), 256, 0, stream>>>(x.data_ptr<float>(), residual.data_ptr<float>(), total.data_ptr<float>(), y.data_ptr<float>(), n);
    norm_rows<<<x.size(0), 128, 0, stream>>>(y.data_ptr<float>(), w.data_ptr<float>(), b.data_ptr<float>(), x.size(1), eps);
    return {y, total};
}
"""

add_norm_ext = load_inline(
    name="add_norm_ext",
    cpp_sources="std::vector<torch::Tensor> add_norm(torch::Tensor x, torch::Tensor residual, torch::Tensor w, torch::Tensor b, double eps);",
    cuda_sources=src,
    functions=["add_norm"],
    with_cuda=True,
)


class ModelNew(nn.Module):
    def __init__(self, features: int):
        super(ModelNew, self).__init__()
        self.weight = nn.Parameter(torch.ones(features))
        self.bias = nn.Parameter(torch.zeros(features))
        self.eps = 1e-5

    def forward(self, x, residual):
        normed, total = add_norm_ext.add_norm(x, residual, self.weight, self.bias, self.eps)
        return normed, total
