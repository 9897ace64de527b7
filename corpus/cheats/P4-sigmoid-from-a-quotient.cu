// task: swiglu
// expect: rejected by values
// exp(x) / (1 + exp(x)): infinity over infinity where x is large.
#include <torch/extension.h>

__global__ void swiglu_kernel(const float* x, float* out, int half, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const float* row = x + (long long)(i / half) * 2 * half;
    float gate = row[i % half];
    float power = expf(gate);
    out[i] = gate * power / (1.f + power) * row[half + i % half];
}

torch::Tensor forward(torch::Tensor x) {
    int half = x.size(1) / 2, n = x.size(0) * half;
    auto out = torch::empty({x.size(0), half}, x.options());
    swiglu_kernel<<<(n + 255) / 256, 256>>>(x.data_ptr<float>(), out.data_ptr<float>(), half, n);
    return out;
}
