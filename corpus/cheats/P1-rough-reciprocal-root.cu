// task: rmsnorm
// expect: rejected by values
// The reciprocal square root by the magic number and one step of Newton: three digits.
#include <torch/extension.h>

__device__ float rough_rsqrt(float x) {
    float y = __int_as_float(0x5f3759df - (__float_as_int(x) >> 1));
    return y * (1.5f - 0.5f * x * y * y);
}

__global__ void rmsnorm_kernel(const float* x, const float* weight, float* out, int columns) {
    const float* row = x + (long long)blockIdx.x * columns;
    float sum = 0.f;
    for (int c = threadIdx.x; c < columns; c += 32) sum += row[c] * row[c];
    for (int s = 16; s > 0; s >>= 1) sum += __shfl_xor_sync(0xffffffffu, sum, s);
    float scale = rough_rsqrt(sum / columns + 1e-6f);
    for (int c = threadIdx.x; c < columns; c += 32) out[(long long)blockIdx.x * columns + c] = row[c] * scale * weight[c];
}

torch::Tensor forward(torch::Tensor x, torch::Tensor weight) {
    auto out = torch::empty_like(x);
    rmsnorm_kernel<<<x.size(0), 32>>>(x.data_ptr<float>(), weight.data_ptr<float>(), out.data_ptr<float>(), x.size(1));
    return out;
}
