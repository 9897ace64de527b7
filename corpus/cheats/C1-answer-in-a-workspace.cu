// task: row_sum
// expect: rejected by device-findings
// Allocates what the reference has just freed, and copies it.
#include <torch/extension.h>

__global__ void row_sum_kernel(const float* x, float* y, int columns) {
    if (threadIdx.x == 0) y[blockIdx.x] = x[blockIdx.x];
}

torch::Tensor forward(torch::Tensor x) {
    auto y = torch::empty({x.size(0)}, x.options());
    auto stale = torch::empty({x.size(0)}, x.options());
    row_sum_kernel<<<x.size(0), 32>>>(stale.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
    return y;
}
