# task: cross_entropy
# scale: 100000
# An autograd.Function around a kernel that takes the whole loss: one block, threads over rows.
import torch
import torch.nn as nn
from torch.utils.cpp_extension import load_inline

kernel = r"""
#include <torch/extension.h>

// One thread a row: slow and plain.
__global__ void nll_rows(const float* scores, const long* labels, float* losses, int rows, int classes) {
    int r = blockDim.x * blockIdx.x + threadIdx.x;
    if (r >= rows) return;
    const float* s = scores + (size_t)r * classes;
    float biggest = s[0];
    for (int c = 1; c < classes; ++c) biggest = max(biggest, s[c]);
    float total = 0.0f;
    for (int c = 0; c < classes; ++c) total += exp(s[c] - biggest);
    losses[r] = log(total) - (s[labels[r]] - biggest);
}

__global__ void average(const float* losses, float* out, int rows) {
    double total = 0.0;
    for (int r = 0; r < rows; ++r) total += losses[r];
    *out = total / rows;
}

torch::Tensor nll(torch::Tensor scores, torch::Tensor labels) {
    TORCH_CHECK(scores.dim() == 2 && labels.dim() == 1, "scores (B, C) and labels (B)");
    auto losses = torch::empty({scores.size(0)}, scores.options());
    auto out = torch::empty({}, scores.options());
    nll_rows<<<(scores.size(0) + 31) / 32, 32>>>(scores.data_ptr<float>(), labels.data_ptr<long>(), losses.data_ptr<float>(), scores.size(0), scores.size(1));
    average<<<1, 1>>>(losses.data_ptr<float>(), out.data_ptr<float>(), losses.numel());
    return out;
}
"""

_nll = load_inline("nll_ext", "torch::Tensor nll(torch::Tensor scores, torch::Tensor labels);", kernel, functions=["nll"])


class CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, scores, labels):
        ctx.save_for_backward(scores, labels)
        return _nll.nll(scores, labels)

    @staticmethod
    def backward(ctx, grad):
        scores, labels = ctx.saved_tensors
        probabilities = torch.softmax(scores, dim=1)
        probabilities[torch.arange(len(labels)), labels] -= 1
        return grad * probabilities / len(labels), None


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()

    def forward(self, scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return CrossEntropy.apply(scores, targets)
