# task: residual_rms
# A module that keeps the parameter and calls a fused kernel; the block size depends on the width.
import torch
import torch.nn as nn
from torch.utils.cpp_extension import load_inline


def build():
    cuda = r"""
    #include <torch/extension.h>
    #include <cub/cub.cuh>

    template <int BLOCK>
    __global__ void add_rms(const float* __restrict__ x, const float* __restrict__ r, const float* __restrict__ w,
                            float* __restrict__ y, int columns, float eps) {
        using Reduce = cub::BlockReduce<float, BLOCK>;
        __shared__ typename Reduce::TempStorage storage;
        __shared__ float inv_rms;
        const size_t base = size_t(blockIdx.x) * columns;
        float sum = 0.f;
        for (int c = threadIdx.x; c < columns; c += BLOCK) {
            const float h = x[base + c] + r[base + c];
            y[base + c] = h;
            sum += h * h;
        }
        sum = Reduce(storage).Sum(sum);
        if (threadIdx.x == 0) inv_rms = rsqrtf(sum / columns + eps);
        __syncthreads();
        for (int c = threadIdx.x; c < columns; c += BLOCK) y[base + c] *= inv_rms * w[c];
    }

    torch::Tensor add_rms_forward(torch::Tensor x, torch::Tensor r, torch::Tensor w, double eps) {
        auto y = torch::empty_like(x);
        const int rows = x.size(0), columns = x.size(1);
        if (columns >= 512)
            add_rms<256><<<rows, 256>>>(x.data_ptr<float>(), r.data_ptr<float>(), w.data_ptr<float>(), y.data_ptr<float>(), columns, eps);
        else
            add_rms<128><<<rows, 128>>>(x.data_ptr<float>(), r.data_ptr<float>(), w.data_ptr<float>(), y.data_ptr<float>(), columns, eps);
        return y;
    }
    """
    cpp = "torch::Tensor add_rms_forward(torch::Tensor x, torch::Tensor r, torch::Tensor w, double eps);"
    return load_inline(name="add_rms", cpp_sources=[cpp], cuda_sources=[cuda], functions=["add_rms_forward"], extra_cuda_cflags=["-O3", "--use_fast_math"])


_ext = build()


class ModelNew(nn.Module):
    def __init__(self, columns: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(columns))

    def forward(self, x: torch.Tensor, r: torch.Tensor) -> torch.Tensor:
        return _ext.add_rms_forward(x.contiguous(), r.contiguous(), self.weight, 1e-5)
