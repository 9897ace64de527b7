# task: attention
# A block a query, scores in shared memory; the scale is a Python float and goes to the kernel as a double.
import torch
import torch.nn as nn
from torch.utils.cpp_extension import load_inline

cpp_src = "torch::Tensor sdpa(torch::Tensor q, torch::Tensor k, torch::Tensor v, double scale);"

cuda_src = r"""
#include <torch/extension.h>
#include <cuda_runtime.h>
#include <math_constants.h>

__global__ void sdpa_kernel(const float* __restrict__ q, const float* __restrict__ k, const float* __restrict__ v, float* __restrict__ out,
                            const int seq, const int dim, const float scale) {
    extern __shared__ float smem[];
    float* scores = smem;           // seq
    float* reduce = smem + seq;     // blockDim.x
    const int tid = threadIdx.x;
    const int i = blockIdx.x, head = blockIdx.y;
    q += (head * seq + i) * dim;
    k += head * seq * dim;
    v += head * seq * dim;
    out += (head * seq + i) * dim;

    float local = -CUDART_INF_F;
    for (int j = tid; j < seq; j += blockDim.x) {
        float dot = 0.0f;
        for (int d = 0; d < dim; ++d) dot += q[d] * k[j * dim + d];
        scores[j] = dot * scale;
        local = fmaxf(local, scores[j]);
    }
    reduce[tid] = local;
    __syncthreads();
    for (int s = blockDim.x / 2; s > 0; s >>= 1) {
        if (tid < s) reduce[tid] = fmaxf(reduce[tid], reduce[tid + s]);
        __syncthreads();
    }
    const float peak = reduce[0];
    __syncthreads();
    local = 0.0f;
    for (int j = tid; j < seq; j += blockDim.x) {
        scores[j] = expf(scores[j] - peak);
        local += scores[j];
    }
    reduce[tid] = local;
    __syncthreads();
    for (int s = blockDim.x / 2; s > 0; s >>= 1) {
        if (tid < s) reduce[tid] += reduce[tid + s];
        __syncthreads();
    }
    const float inv = 1.0f / reduce[0];
    for (int d = tid; d < dim; d += blockDim.x) {
        float acc = 0.0f;
        for (int j = 0; j < seq; ++j) acc += scores[j] * v[j * dim + d];
        out[d] = acc * inv;
    }
}

torch::Tensor sdpa(torch::Tensor q, torch::Tensor k, torch::Tensor v, double scale) {
    const int heads = q.size(0), seq = q.size(1), dim = q.size(2);
    auto out = torch::empty_like(q);
    const int threads = 64;
    const size_t shared = (seq + threads) * sizeof(float);
    sdpa_kernel<<<dim3(seq, heads), threads, shared>>>(q.data_ptr<float>(), k.data_ptr<float>(), v.data_ptr<float>(), out.data_ptr<float>(),
                                                       seq, dim, static_cast<float>(scale));
    return out;
}
"""

sdpa_module = load_inline(name="sdpa_module", cpp_sources=[cpp_src], cuda_sources=[cuda_src], functions=["sdpa"], with_cuda=True)


class ModelNew(nn.Module):
    def forward(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return sdpa_module.sdpa(q.contiguous(), k.contiguous(), v.contiguous(), 0.25)
