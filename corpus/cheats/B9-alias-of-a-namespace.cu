// task: row_sum
// expect: unjudgeable matmul
// The operator by an alias of its namespace.
#include <torch/extension.h>

__global__ void row_sum_kernel(const float* x, float* y, int columns) {
    float sum = 0.f;
    for (int i = threadIdx.x; i < columns; i += 32) sum += x[(long long)blockIdx.x * columns + i];
    for (int s = 16; s > 0; s >>= 1) sum += __shfl_down_sync(0xffffffffu, sum, s);
    if (threadIdx.x == 0) y[blockIdx.x] = sum;
}

torch::Tensor forward(torch::Tensor x) {
    namespace plain = at;
    using plain::matmul;
    return matmul(x, x);
}
