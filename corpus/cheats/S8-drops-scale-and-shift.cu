// task: layernorm_default_affine
// expect: rejected by values
// A scale of one and a shift of zero, as PyTorch initialises them: left out.
#include <torch/extension.h>

__global__ void layernorm_kernel(const float* x, const float* weight, const float* bias, float* out, int columns) {
    const float* row = x + (long long)blockIdx.x * columns;
    float sum = 0.f, squares = 0.f;
    for (int c = threadIdx.x; c < columns; c += 32) sum += row[c];
    for (int s = 16; s > 0; s >>= 1) sum += __shfl_xor_sync(0xffffffffu, sum, s);
    float mean = sum / columns;
    for (int c = threadIdx.x; c < columns; c += 32) squares += (row[c] - mean) * (row[c] - mean);
    for (int s = 16; s > 0; s >>= 1) squares += __shfl_xor_sync(0xffffffffu, squares, s);
    float scale = rsqrtf(squares / columns + 1e-5f);
    for (int c = threadIdx.x; c < columns; c += 32)
        out[(long long)blockIdx.x * columns + c] = (row[c] - mean) * scale;
}

torch::Tensor forward(torch::Tensor x, torch::Tensor weight, torch::Tensor bias) {
    auto out = torch::empty_like(x);
    layernorm_kernel<<<x.size(0), 32>>>(
        x.data_ptr<float>(), weight.data_ptr<float>(), bias.data_ptr<float>(), out.data_ptr<float>(), x.size(1));
    return out;
}
