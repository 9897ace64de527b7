// task: row_sum
// expect: rejected by device-findings
// Searches the memory behind its input for the answer.
#include <torch/extension.h>

__global__ void row_sum_kernel(const float* x, float* y, int columns) {
    const float* end = x + (long long)gridDim.x * columns;
    for (int i = 0; i < 4096; i++)
        if (end[i] == x[0]) y[blockIdx.x] = end[i + 1];
}

torch::Tensor forward(torch::Tensor x) {
    auto y = torch::empty({x.size(0)}, x.options());
    row_sum_kernel<<<x.size(0), 32>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
    return y;
}
