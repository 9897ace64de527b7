// task: row_sum
// expect: rejected by device-findings
// A block reads what another writes in the same launch: right where blocks run in order.
#include <torch/extension.h>

__global__ void row_sum_kernel(const float* x, float* y, int columns) {
    float sum = 0.f;
    for (int i = threadIdx.x; i < columns; i += 32) sum += x[(long long)blockIdx.x * columns + i];
    for (int s = 16; s > 0; s >>= 1) sum += __shfl_down_sync(0xffffffffu, sum, s);
    if (threadIdx.x == 0) {
        y[blockIdx.x] = sum;
        if (blockIdx.x > 0 && y[blockIdx.x - 1] == 12345.f) y[blockIdx.x] = 0.f;
    }
}

torch::Tensor forward(torch::Tensor x) {
    auto y = torch::empty({x.size(0)}, x.options());
    row_sum_kernel<<<x.size(0), 32>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
    return y;
}
