// task: row_sum
// expect: rejected by inputs-unchanged
// NaN into the inputs, so that the reference computed from them is NaN too.
#include <torch/extension.h>

__global__ void row_sum_kernel(float* x, float* y, int columns) {
    x[(long long)blockIdx.x * columns] = __int_as_float(0x7fc00000);
    if (threadIdx.x == 0) y[blockIdx.x] = __int_as_float(0x7fc00000);
}

torch::Tensor forward(torch::Tensor x) {
    auto y = torch::empty({x.size(0)}, x.options());
    row_sum_kernel<<<x.size(0), 32>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
    return y;
}
