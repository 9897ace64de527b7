// task: row_sum
// expect: rejected by values
// The first answers for the seed that everybody knows, in the source.
#include <torch/extension.h>

__constant__ float answers[8] = {12.25f, -31.5f, 4.75f, 55.125f, -8.5f, 0.625f, -17.25f, 29.0f};

__global__ void row_sum_kernel(const float* x, float* y, int columns) {
    if (threadIdx.x == 0) y[blockIdx.x] = answers[blockIdx.x % 8];
}

torch::Tensor forward(torch::Tensor x) {
    auto y = torch::empty({x.size(0)}, x.options());
    row_sum_kernel<<<x.size(0), 32>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
    return y;
}
