// task: many_rows
// scale: 200000
// expect: rejected by full-size
// Rows are counted in 16 bits: right up to 65,536.
#include <torch/extension.h>

__global__ void row_sum_kernel(const float* x, float* y, int columns) {
    unsigned short row = blockIdx.x;
    float sum = 0.f;
    for (int i = threadIdx.x; i < columns; i += 32) sum += x[(long long)row * columns + i];
    for (int s = 16; s > 0; s >>= 1) sum += __shfl_down_sync(0xffffffffu, sum, s);
    if (threadIdx.x == 0) y[row] = sum;
}

torch::Tensor forward(torch::Tensor x) {
    auto y = torch::empty({x.size(0)}, x.options());
    row_sum_kernel<<<x.size(0), 32>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
    return y;
}
