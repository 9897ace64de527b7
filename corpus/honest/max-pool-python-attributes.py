# task: max_pool
# Attributes of nn.MaxPool2d as arguments, the extension behind a torch.autograd.Function that also returns indices nobody asks for.
import torch
import torch.nn as nn
from torch.utils.cpp_extension import load_inline

cuda = """
#include <torch/extension.h>
#include <vector>

__global__ void pool(const float* __restrict__ x, float* __restrict__ y, int64_t* __restrict__ where, int h, int w, int oh, int ow, int k, int s, int p, int64_t total) {
    for (int64_t i = blockIdx.x * (int64_t)blockDim.x + threadIdx.x; i < total; i += (int64_t)gridDim.x * blockDim.x) {
        const int ox = i % ow, oy = i / ow % oh;
        const int64_t plane = i / ((int64_t)ow * oh);
        float best = -INFINITY;
        int64_t at = -1;
        for (int a = 0; a < k; ++a)
            for (int b = 0; b < k; ++b) {
                const int yy = oy * s - p + a, xx = ox * s - p + b;
                if (yy < 0 || xx < 0 || yy >= h || xx >= w) continue;
                const float v = x[(plane * h + yy) * w + xx];
                if (at < 0 || v > best) { best = v; at = (int64_t)yy * w + xx; }
            }
        y[i] = best;
        where[i] = at;
    }
}

std::vector<torch::Tensor> max_pool(torch::Tensor x, int64_t k, int64_t s, int64_t p) {
    const int h = x.size(2), w = x.size(3), oh = (h + 2 * p - k) / s + 1, ow = (w + 2 * p - k) / s + 1;
    auto y = torch::empty({x.size(0), x.size(1), oh, ow}, x.options());
    auto where = torch::empty({x.size(0), x.size(1), oh, ow}, x.options().dtype(torch::kLong));
    pool<<<std::min<int64_t>((y.numel() + 255) / 256, 64), 256>>>(x.data_ptr<float>(), y.data_ptr<float>(), where.data_ptr<int64_t>(), h, w, oh, ow, k, s, p, y.numel());
    return {y, where};
}
"""
cpp = "#include <torch/extension.h>\nstd::vector<torch::Tensor> max_pool(torch::Tensor x, int64_t k, int64_t s, int64_t p);"
module = load_inline("max_pool_ext", cpp, cuda, functions=["max_pool"])


class MaxPool(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, k, s, p):
        y, where = module.max_pool(x, k, s, p)
        ctx.save_for_backward(where)
        return y


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)

    def forward(self, x):
        return MaxPool.apply(x, self.pool.kernel_size, self.pool.stride, self.pool.padding)
