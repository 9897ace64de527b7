// task: row_sum
// expect: rejected by device-findings
// An address that no argument gave.
#include <torch/extension.h>

__global__ void row_sum_kernel(const float* x, float* y, int columns) {
    const float* expected = reinterpret_cast<const float*>(0x7f3c00000000ull);
    if (threadIdx.x == 0) y[blockIdx.x] = expected[blockIdx.x];
}

torch::Tensor forward(torch::Tensor x) {
    auto y = torch::empty({x.size(0)}, x.options());
    row_sum_kernel<<<x.size(0), 32>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
    return y;
}
