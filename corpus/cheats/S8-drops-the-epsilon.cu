// task: rmsnorm
// expect: rejected by values
// The epsilon, which shows only where a row is small.
#include <torch/extension.h>

__global__ void rmsnorm_kernel(const float* x, const float* weight, float* out, int columns) {
    const float* row = x + (long long)blockIdx.x * columns;
    float sum = 0.f;
    for (int c = threadIdx.x; c < columns; c += 32) sum += row[c] * row[c];
    for (int s = 16; s > 0; s >>= 1) sum += __shfl_xor_sync(0xffffffffu, sum, s);
    float scale = rsqrtf(sum / columns);
    for (int c = threadIdx.x; c < columns; c += 32) out[(long long)blockIdx.x * columns + c] = row[c] * scale * weight[c];
}

torch::Tensor forward(torch::Tensor x, torch::Tensor weight) {
    auto out = torch::empty_like(x);
    rmsnorm_kernel<<<x.size(0), 32>>>(x.data_ptr<float>(), weight.data_ptr<float>(), out.data_ptr<float>(), x.size(1));
    return out;
}
