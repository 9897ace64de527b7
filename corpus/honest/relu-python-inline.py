# task: relu
# KernelBench's example turned to a rectifier: the bit trick for the sign, the extension kept in the module.
import torch
import torch.nn as nn
from torch.utils.cpp_extension import load_inline

relu_source = """
#include <torch/extension.h>
#include <cuda_runtime.h>

__global__ void relu_bits_kernel(const float* a, float* out, int size) {
    for (int idx = blockIdx.x * blockDim.x + threadIdx.x; idx < size; idx += blockDim.x * gridDim.x) {
        int bits = __float_as_int(a[idx]);
        bits &= ~(bits >> 31);  // all ones where the sign is set
        out[idx] = __int_as_float(bits);
    }
}

torch::Tensor relu_bits(torch::Tensor a) {
    auto size = a.numel();
    auto out = torch::empty_like(a);
    const int block_size = 192;
    const int num_blocks = std::min<int>((size + block_size - 1) / block_size, 132);
    relu_bits_kernel<<<num_blocks, block_size>>>(a.data_ptr<float>(), out.data_ptr<float>(), size);
    return out;
}
"""

relu_cpp_source = "torch::Tensor relu_bits(torch::Tensor a);"

relu_ext = load_inline(
    name="relu_bits",
    cpp_sources=relu_cpp_source,
    cuda_sources=relu_source,
    functions=["relu_bits"],
    verbose=True,
    extra_cflags=[""],
    extra_ldflags=[""],
)


class ModelNew(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.relu_ext = relu_ext

    def forward(self, x):
        return self.relu_ext.relu_bits(x)
