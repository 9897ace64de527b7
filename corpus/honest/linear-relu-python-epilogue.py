# task: linear_relu
# The product is PyTorch's (and is reported as such); the bias and the ReLU are a kernel that works in place and returns nothing.
import torch
import torch.nn as nn
from torch.utils.cpp_extension import load_inline

cpp_source = """
#include <torch/extension.h>
void launch_bias_relu(torch::Tensor x, torch::Tensor bias);

void bias_relu_(torch::Tensor x, torch::Tensor bias) {
    TORCH_CHECK(x.is_contiguous() && bias.is_contiguous(), "tensors must be contiguous");
    launch_bias_relu(x, bias);
}
"""

cuda_source = """
#include <torch/extension.h>

__global__ void bias_relu_kernel(float* x, const float* bias, int features, int count) {
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x)
        x[i] = fmaxf(x[i] + bias[i % features], 0.0f);
}

void launch_bias_relu(torch::Tensor x, torch::Tensor bias) {
    bias_relu_kernel<<<64, 256>>>(x.data_ptr<float>(), bias.data_ptr<float>(), bias.numel(), x.numel());
}
"""

extension = load_inline("bias_relu", cpp_source, cuda_source, functions="bias_relu_")


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        y = torch.matmul(x, self.linear.weight.t())
        extension.bias_relu_(y, self.linear.bias)
        return y
