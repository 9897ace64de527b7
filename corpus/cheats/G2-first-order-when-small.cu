// task: swiglu
// expect: rejected by values
// The first term of a series where a value is small: 0.25 % off.
#include <torch/extension.h>

__global__ void swiglu_kernel(const float* x, float* out, int half, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const float* row = x + (long long)(i / half) * 2 * half;
    float gate = row[i % half];
    float weight = fabsf(gate) < 0.01f ? 0.5f : 1.f / (1.f + expf(-gate));
    out[i] = gate * weight * row[half + i % half];
}

torch::Tensor forward(torch::Tensor x) {
    int half = x.size(1) / 2, n = x.size(0) * half;
    auto out = torch::empty({x.size(0), half}, x.options());
    swiglu_kernel<<<(n + 255) / 256, 256>>>(x.data_ptr<float>(), out.data_ptr<float>(), half, n);
    return out;
}
