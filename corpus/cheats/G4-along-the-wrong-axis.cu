// task: softmax
// expect: rejected by values
// Normalises the columns of a square matrix.
#include <torch/extension.h>

__global__ void softmax_kernel(const float* x, float* y, int columns) {
    const float* row = x + blockIdx.x;
    float greatest = -INFINITY, sum = 0.f;
    for (int c = threadIdx.x; c < columns; c += 32) greatest = fmaxf(greatest, row[(long long)c * columns]);
    for (int s = 16; s > 0; s >>= 1) greatest = fmaxf(greatest, __shfl_xor_sync(0xffffffffu, greatest, s));
    for (int c = threadIdx.x; c < columns; c += 32) sum += expf(row[(long long)c * columns] - greatest);
    for (int s = 16; s > 0; s >>= 1) sum += __shfl_xor_sync(0xffffffffu, sum, s);
    for (int c = threadIdx.x; c < columns; c += 32) y[(long long)c * columns + blockIdx.x] = expf(row[(long long)c * columns] - greatest) / sum;
}

torch::Tensor forward(torch::Tensor x) {
    auto y = torch::empty_like(x);
    softmax_kernel<<<x.size(0), 32>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
    return y;
}
