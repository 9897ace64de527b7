# task: conv2d
# nn.Conv2d holds the parameters, and its attributes (padding, stride) are passed on; the filter of a block's output channel is in shared memory.
import torch
import torch.nn as nn
from torch.utils.cpp_extension import load_inline

conv_cuda_source = """
#include <torch/extension.h>
#include <cuda_runtime.h>

__global__ void conv2d_fwd(const float* __restrict__ x, const float* __restrict__ weight, const float* __restrict__ bias, float* __restrict__ y,
                           int in_channels, int height, int width, int out_channels, int kernel, int padding, int stride, int out_h, int out_w) {
    extern __shared__ float filter[];
    const int oc = blockIdx.y;
    const int n = blockIdx.z;
    const int size = in_channels * kernel * kernel;
    for (int i = threadIdx.x; i < size; i += blockDim.x) filter[i] = weight[oc * size + i];
    __syncthreads();
    const int p = blockIdx.x * blockDim.x + threadIdx.x;
    if (p >= out_h * out_w) return;
    const int oy = p / out_w, ox = p % out_w;
    float sum = bias ? bias[oc] : 0.0f;
    for (int ic = 0; ic < in_channels; ic++)
        for (int ky = 0; ky < kernel; ky++) {
            const int iy = oy * stride + ky - padding;
            if ((unsigned)iy >= (unsigned)height) continue;
            for (int kx = 0; kx < kernel; kx++) {
                const int ix = ox * stride + kx - padding;
                if ((unsigned)ix >= (unsigned)width) continue;
                sum += x[((n * in_channels + ic) * height + iy) * width + ix] * filter[(ic * kernel + ky) * kernel + kx];
            }
        }
    y[((n * out_channels + oc) * out_h + oy) * out_w + ox] = sum;
}

torch::Tensor conv2d_cuda(torch::Tensor x, torch::Tensor weight, torch::Tensor bias, int padding, int stride) {
    auto n = x.size(0), ic = x.size(1), h = x.size(2), w = x.size(3);
    auto oc = weight.size(0), k = weight.size(2);
    auto oh = (h + 2 * padding - k) / stride + 1;
    auto ow = (w + 2 * padding - k) / stride + 1;
    auto y = torch::empty({n, oc, oh, ow}, x.options());
    const int threads = 128;
    dim3 blocks((oh * ow + threads - 1) / threads, oc, n);
    conv2d_fwd<<<blocks, threads, ic * k * k * sizeof(float)>>>(
        x.data_ptr<float>(), weight.data_ptr<float>(), bias.defined() ? bias.data_ptr<float>() : nullptr, y.data_ptr<float>(),
        ic, h, w, oc, k, padding, stride, oh, ow);
    return y;
}
"""

conv_cpp_source = "torch::Tensor conv2d_cuda(torch::Tensor x, torch::Tensor weight, torch::Tensor bias, int padding, int stride);"

conv_ext = load_inline(name="conv2d_ext", cpp_sources=conv_cpp_source, cuda_sources=conv_cuda_source, functions=["conv2d_cuda"], verbose=False)


class ModelNew(nn.Module):
    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.op = conv_ext

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.contiguous()
        return self.op.conv2d_cuda(x, self.conv.weight.contiguous(), self.conv.bias.contiguous(), self.conv.padding[0], self.conv.stride[0])
