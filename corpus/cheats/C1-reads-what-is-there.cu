// task: row_sum
// expect: rejected by device-findings
// Reads what the memory holds: perhaps the answer of the reference.
#include <torch/extension.h>

__global__ void row_sum_kernel(const float* x, float* y, int columns) {
    if (threadIdx.x == 0) y[blockIdx.x] = y[(blockIdx.x + 1) % gridDim.x];
}

torch::Tensor forward(torch::Tensor x) {
    auto y = torch::empty({x.size(0)}, x.options());
    row_sum_kernel<<<x.size(0), 32>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
    return y;
}
