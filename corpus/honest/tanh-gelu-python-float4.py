# task: tanh_gelu
# float4 with a scalar remainder in a second launch; the accurate tanhf; sources joined from pieces of text.
import torch
from torch import nn
from torch.utils.cpp_extension import load_inline

THREADS = 128

HEADER = """
#include <torch/extension.h>
#include <ATen/cuda/CUDAContext.h>
"""

KERNELS = r"""
__device__ __forceinline__ float gelu_tanh(float v) {
    const float kAlpha = 0.79788456080286535588f;
    const float cube = v * v * v;
    return 0.5f * v * (1.0f + tanhf(kAlpha * (v + 0.044715f * cube)));
}

__global__ void gelu4(const float4* __restrict__ in, float4* __restrict__ out, int count) {
    int i = blockIdx.x * THREADS + threadIdx.x;
    if (i < count) {
        float4 v = in[i];
        out[i] = make_float4(gelu_tanh(v.x), gelu_tanh(v.y), gelu_tanh(v.z), gelu_tanh(v.w));
    }
}

__global__ void gelu_rest(const float* in, float* out, int count) {
    if (threadIdx.x < count) out[threadIdx.x] = gelu_tanh(in[threadIdx.x]);
}
"""

HOST = r"""
torch::Tensor gelu_tanh_cuda(torch::Tensor x) {
    auto y = torch::empty_like(x);
    const int64_t n = x.numel(), whole = n / 4, rest = n % 4;
    cudaStream_t stream = at::cuda::getCurrentCUDAStream();
    const float* in = x.data_ptr<float>();
    float* out = y.data_ptr<float>();
    if (whole > 0)
        gelu4<<<(whole + THREADS - 1) / THREADS, THREADS, 0, stream>>>(
            reinterpret_cast<const float4*>(in), reinterpret_cast<float4*>(out), whole);
    if (rest > 0) gelu_rest<<<1, 32, 0, stream>>>(in + 4 * whole, out + 4 * whole, rest);
    return y;
}
"""

source = HEADER + f"#define THREADS {THREADS}\n" + KERNELS + HOST

module = load_inline(
    name="gelu_tanh_ext",
    cpp_sources="torch::Tensor gelu_tanh_cuda(torch::Tensor x);",
    cuda_sources=source,
    functions=["gelu_tanh_cuda"],
    extra_cuda_cflags=["-O3"],
)


class ModelNew(nn.Module):
    def __init__(self):
        super(ModelNew, self).__init__()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return module.gelu_tanh_cuda(x.contiguous())
