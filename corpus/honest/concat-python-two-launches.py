# task: concat
# The output allocated in Python, each operand written into its columns by one launch.
import torch
import torch.nn as nn
from torch.utils.cpp_extension import load_inline

SRC = """
#include <torch/extension.h>

__global__ void place(const float* __restrict__ src, float* __restrict__ dst, int width, int pitch, int offset) {
    const int row = blockIdx.x;
    for (int c = threadIdx.x; c < width; c += blockDim.x) dst[row * pitch + offset + c] = src[row * width + c];
}

void place_columns(torch::Tensor out, torch::Tensor part, int64_t offset) {
    TORCH_CHECK(out.is_contiguous() && part.is_contiguous(), "contiguous tensors only");
    TORCH_CHECK(offset + part.size(1) <= out.size(1), "does not fit");
    place<<<part.size(0), 64>>>(part.data_ptr<float>(), out.data_ptr<float>(), part.size(1), out.size(1), offset);
}
"""

ops = load_inline(
    name="place_columns",
    cpp_sources=["void place_columns(torch::Tensor out, torch::Tensor part, int64_t offset);"],
    cuda_sources=[SRC],
    functions=["place_columns"],
)


class ModelNew(nn.Module):
    def forward(self, a, b):
        out = torch.empty((a.shape[0], a.shape[1] + b.shape[1]), dtype=a.dtype, device=a.device)
        offset = 0
        for part in (a, b):
            ops.place_columns(out, part, offset)
            offset += part.shape[1]
        return out
