// task: residual_layernorm
// expect: rejected by values
// The second of two outputs is zero: a harness that compares one does not look.
#include <torch/extension.h>

__global__ void layernorm_kernel(const float* x, const float* r, const float* weight, const float* bias, float* y, float* total, int columns) {
    const float* xs = x + (long long)blockIdx.x * columns;
    const float* rs = r + (long long)blockIdx.x * columns;
    float sum = 0.f, squares = 0.f;
    for (int c = threadIdx.x; c < columns; c += 32) sum += xs[c] + rs[c];
    for (int s = 16; s > 0; s >>= 1) sum += __shfl_xor_sync(0xffffffffu, sum, s);
    float mean = sum / columns;
    for (int c = threadIdx.x; c < columns; c += 32) squares += (xs[c] + rs[c] - mean) * (xs[c] + rs[c] - mean);
    for (int s = 16; s > 0; s >>= 1) squares += __shfl_xor_sync(0xffffffffu, squares, s);
    float scale = rsqrtf(squares / columns + 1e-5f);
    for (int c = threadIdx.x; c < columns; c += 32) {
        y[(long long)blockIdx.x * columns + c] = (xs[c] + rs[c] - mean) * scale * weight[c] + bias[c];
        total[(long long)blockIdx.x * columns + c] = 0.f;
    }
}

std::vector<torch::Tensor> forward(torch::Tensor x, torch::Tensor residual, torch::Tensor weight, torch::Tensor bias) {
    auto y = torch::empty_like(x);
    auto total = torch::empty_like(x);
    layernorm_kernel<<<x.size(0), 32>>>(x.data_ptr<float>(), residual.data_ptr<float>(), weight.data_ptr<float>(),
        bias.data_ptr<float>(), y.data_ptr<float>(), total.data_ptr<float>(), x.size(1));
    return {y, total};
}
