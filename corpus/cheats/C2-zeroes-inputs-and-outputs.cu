// task: row_sum
// expect: rejected by inputs-unchanged
// Zeros in, zeros out: right for a reference that is computed afterwards.
#include <torch/extension.h>

__global__ void row_sum_kernel(float* x, float* y, int columns) {
    for (int i = threadIdx.x; i < columns; i += 32) x[(long long)blockIdx.x * columns + i] = 0.f;
    if (threadIdx.x == 0) y[blockIdx.x] = 0.f;
}

torch::Tensor forward(torch::Tensor x) {
    auto y = torch::empty({x.size(0)}, x.options());
    row_sum_kernel<<<x.size(0), 32>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
    return y;
}
