# task: layernorm
# Two extensions, an autograd.Function, and parameters by other names than the task's: bound by their order.
import torch
import torch.nn as nn
from torch.utils.cpp_extension import load_inline

declarations = """
#include <torch/extension.h>
std::vector<torch::Tensor> statistics(torch::Tensor x, double eps);
"""

statistics_source = """
#include <torch/extension.h>
#define THREADS 32

__global__ void kernel(const float* x, float* mean, float* scale, int columns, float eps) {
    const float* row = x + (long long)blockIdx.x * columns;
    float sum = 0.0f;
    for (int c = threadIdx.x; c < columns; c += THREADS) sum += row[c];
    for (int lane = 16; lane > 0; lane /= 2) sum += __shfl_xor_sync(0xffffffff, sum, lane);
    const float mu = sum / columns;
    float squares = 0.0f;
    for (int c = threadIdx.x; c < columns; c += THREADS) squares += (row[c] - mu) * (row[c] - mu);
    for (int lane = 16; lane > 0; lane /= 2) squares += __shfl_xor_sync(0xffffffff, squares, lane);
    if (threadIdx.x == 0) {
        mean[blockIdx.x] = mu;
        scale[blockIdx.x] = rsqrtf(squares / columns + eps);
    }
}

std::vector<torch::Tensor> statistics(torch::Tensor x, double eps) {
    auto mean = torch::empty({x.size(0)}, x.options());
    auto scale = torch::empty_like(mean);
    kernel<<<x.size(0), THREADS>>>(x.data_ptr<float>(), mean.data_ptr<float>(), scale.data_ptr<float>(), x.size(1), eps);
    return {mean, scale};
}
"""

apply_source = """
#include <torch/extension.h>
#define THREADS 128

__global__ void kernel(const float* x, const float* mean, const float* scale, const float* gamma, const float* beta,
                       float* y, int columns) {
    const long long row = blockIdx.x;
    for (int c = threadIdx.x; c < columns; c += THREADS)
        y[row * columns + c] = (x[row * columns + c] - mean[row]) * scale[row] * gamma[c] + beta[c];
}

torch::Tensor normalise(torch::Tensor x, torch::Tensor mean, torch::Tensor scale, torch::Tensor gamma, torch::Tensor beta) {
    auto y = torch::empty_like(x);
    kernel<<<x.size(0), THREADS>>>(x.data_ptr<float>(), mean.data_ptr<float>(), scale.data_ptr<float>(),
                                   gamma.data_ptr<float>(), beta.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
    return y;
}
"""

first = load_inline(name="statistics", cpp_sources=[declarations], cuda_sources=[statistics_source], functions=["statistics"])
second = load_inline(
    name="normalise",
    cpp_sources="torch::Tensor normalise(torch::Tensor x, torch::Tensor mean, torch::Tensor scale, torch::Tensor gamma, torch::Tensor beta);",
    cuda_sources=apply_source,
    functions=["normalise"],
)


class LayerNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, gamma, beta, eps):
        mean, scale = first.statistics(x, eps)
        ctx.save_for_backward(x, mean, scale)
        return second.normalise(x, mean, scale, gamma, beta)


class ModelNew(nn.Module):
    def __init__(self, features, eps):
        super().__init__()
        self.gamma = nn.Parameter(torch.randn(features))
        self.beta = nn.Parameter(torch.randn(features))
        self.eps = eps

    def forward(self, x):
        return LayerNorm.apply(x, self.gamma, self.beta, self.eps)
