# task: average_pool
# The kernel of KernelBench's usual answers: sizes from the module, output sizes computed in C++.
import torch
import torch.nn as nn
from torch.utils.cpp_extension import load_inline

avg_pool_source = """
#include <torch/extension.h>
#include <cuda_runtime.h>

__global__ void avg_pool2d_kernel(const float* input, float* output, int planes, int H, int W, int k, int stride, int pad, int OH, int OW) {
    int ow = blockIdx.x * blockDim.x + threadIdx.x;
    int oh = blockIdx.y * blockDim.y + threadIdx.y;
    int plane = blockIdx.z;
    if (plane >= planes || oh >= OH || ow >= OW) return;
    float sum = 0.0f;
    for (int i = 0; i < k; ++i) {
        for (int j = 0; j < k; ++j) {
            int h = oh * stride - pad + i;
            int w = ow * stride - pad + j;
            if (h >= 0 && h < H && w >= 0 && w < W) sum += input[(plane * H + h) * W + w];
        }
    }
    output[(plane * OH + oh) * OW + ow] = sum / (k * k);
}

torch::Tensor avg_pool2d_cuda(torch::Tensor input, int kernel_size, int stride, int padding) {
    auto N = input.size(0), C = input.size(1), H = input.size(2), W = input.size(3);
    int OH = (H + 2 * padding - kernel_size) / stride + 1;
    int OW = (W + 2 * padding - kernel_size) / stride + 1;
    auto output = torch::empty({N, C, OH, OW}, input.options());
    dim3 block(16, 16);
    dim3 grid((OW + 15) / 16, (OH + 15) / 16, N * C);
    avg_pool2d_kernel<<<grid, block>>>(input.data_ptr<float>(), output.data_ptr<float>(), N * C, H, W, kernel_size, stride, padding, OH, OW);
    return output;
}
"""

avg_pool = load_inline(
    name="avg_pool2d",
    cpp_sources="torch::Tensor avg_pool2d_cuda(torch::Tensor input, int kernel_size, int stride, int padding);",
    cuda_sources=avg_pool_source,
    functions=["avg_pool2d_cuda"],
)


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.pool = nn.AvgPool2d(2)

    def forward(self, x):
        return avg_pool.avg_pool2d_cuda(x, self.pool.kernel_size, self.pool.stride, self.pool.padding)
