# task: instance_norm
# Instance normalisation as rows of a view: a warp a plane, grid-stride over planes, eps read from the module.
import torch
import torch.nn as nn
from torch.utils.cpp_extension import load_inline

cuda_src = '''
#include <torch/extension.h>

template <int WARPS>
__global__ void instance_norm_kernel(const float* __restrict__ in, float* __restrict__ out, int planes, int size, float eps) {
    const int lane = threadIdx.x;
    for (int plane = blockIdx.x * WARPS + threadIdx.y; plane < planes; plane += gridDim.x * WARPS) {
        const float* src = in + (long long)plane * size;
        float* dst = out + (long long)plane * size;
        float mean = 0.0f;
        for (int i = lane; i < size; i += 32) mean += src[i];
        #pragma unroll
        for (int offset = 16; offset > 0; offset >>= 1) mean += __shfl_xor_sync(0xffffffff, mean, offset);
        mean /= size;
        float var = 0.0f;
        for (int i = lane; i < size; i += 32) var += (src[i] - mean) * (src[i] - mean);
        #pragma unroll
        for (int offset = 16; offset > 0; offset >>= 1) var += __shfl_xor_sync(0xffffffff, var, offset);
        const float scale = rsqrtf(var / size + eps);
        for (int i = lane; i < size; i += 32) dst[i] = (src[i] - mean) * scale;
    }
}

torch::Tensor instance_norm_cuda(torch::Tensor x, double eps) {
    auto out = torch::empty_like(x);
    const int planes = x.size(0), size = x.size(1);
    instance_norm_kernel<4><<<8, dim3(32, 4)>>>(x.data_ptr<float>(), out.data_ptr<float>(), planes, size, (float)eps);
    return out;
}
'''

cpp_src = "torch::Tensor instance_norm_cuda(torch::Tensor x, double eps);"

ext = load_inline(name="inorm", cpp_sources=cpp_src, cuda_sources=cuda_src, functions=["instance_norm_cuda"], verbose=False)


class ModelNew(nn.Module):
    def __init__(self, channels: int, eps: float = 1e-5):
        super().__init__()
        self.channels = channels
        self.eps = eps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, c, h, w = x.shape
        assert c == self.channels
        rows = x.contiguous().view(n * c, h * w)
        return ext.instance_norm_cuda(rows, self.eps).view(n, c, h, w)
