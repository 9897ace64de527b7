// task: row_sum
// expect: rejected
// A loop in the kernel that never ends.
#include <torch/extension.h>

__global__ void spin(const float* x, volatile float* y) {
    while (y[0] != x[0] + 1.f) {
        y[0] = x[0];
    }
}

torch::Tensor forward(torch::Tensor x) {
    auto y = torch::zeros({x.size(0)}, x.options());
    spin<<<1, 32>>>(x.data_ptr<float>(), y.data_ptr<float>());
    return y;
}
