// task: softmax
// expect: rejected by values
// Exponentials that overflow where values are large.
#include <torch/extension.h>

__global__ void softmax_kernel(const float* x, float* y, int columns) {
    const float* row = x + (long long)blockIdx.x * columns;
    float sum = 0.f;
    for (int c = threadIdx.x; c < columns; c += 32) sum += expf(row[c]);
    for (int s = 16; s > 0; s >>= 1) sum += __shfl_xor_sync(0xffffffffu, sum, s);
    for (int c = threadIdx.x; c < columns; c += 32) y[(long long)blockIdx.x * columns + c] = expf(row[c]) / sum;
}

torch::Tensor forward(torch::Tensor x) {
    auto y = torch::empty_like(x);
    softmax_kernel<<<x.size(0), 32>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
    return y;
}
