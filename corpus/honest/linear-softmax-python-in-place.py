# task: linear_softmax
# The layer is PyTorch's (and reported as such); the softmax is a kernel that works in place on its result and returns it.
import torch
from torch import nn
from torch.utils.cpp_extension import load_inline

CUDA = r'''
#include <torch/extension.h>

template <int BLOCK>
__global__ void softmax_(float* data, int columns) {
    __shared__ float shared[BLOCK];
    float* row = data + (size_t)blockIdx.x * columns;
    const int t = threadIdx.x;
    float m = -1e38f;
    for (int i = t; i < columns; i += BLOCK) m = max(m, row[i]);
    shared[t] = m;
    __syncthreads();
    for (int s = BLOCK / 2; s > 0; s >>= 1) {
        if (t < s) shared[t] = max(shared[t], shared[t + s]);
        __syncthreads();
    }
    m = shared[0];
    __syncthreads();
    float sum = 0.0f;
    for (int i = t; i < columns; i += BLOCK) { row[i] = __expf(row[i] - m); sum += row[i]; }
    shared[t] = sum;
    __syncthreads();
    for (int s = BLOCK / 2; s > 0; s >>= 1) {
        if (t < s) shared[t] += shared[t + s];
        __syncthreads();
    }
    sum = shared[0];
    for (int i = t; i < columns; i += BLOCK) row[i] = __fdividef(row[i], sum);
}

torch::Tensor softmax_inplace(torch::Tensor x) {
    TORCH_CHECK(x.is_contiguous(), "contiguous only");
    softmax_<128><<<x.size(0), 128>>>(x.data_ptr<float>(), x.size(1));
    return x;
}
'''

ext = load_inline(name='softmax_inplace', cpp_sources=['torch::Tensor softmax_inplace(torch::Tensor x);'], cuda_sources=[CUDA], functions=['softmax_inplace'])


class ModelNew(nn.Module):
    def __init__(self, features, outputs):
        super().__init__()
        self.linear = nn.Linear(features, outputs)

    def forward(self, x):
        logits = self.linear(x)
        return ext.softmax_inplace(logits)
