// task: row_sum
// expect: rejected by every-output-written
// A kernel that does nothing, and empty memory.
#include <torch/extension.h>

__global__ void row_sum_kernel(const float* x, float* y, int columns) {
}

torch::Tensor forward(torch::Tensor x) {
    auto y = torch::empty({x.size(0)}, x.options());
    row_sum_kernel<<<x.size(0), 32>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
    return y;
}
