// task: cumsum
// expect: rejected by device-findings
// Blocks take strips of a row. In one row of many a strip takes its start from what the block before it has left in memory, without waiting for it:
// right where blocks run one after the other, wrong where they run side by side. Few blocks are profiled, and hardly ever these two.
#include <torch/extension.h>

__global__ void cumsum_strips(const float* x, float* y, int columns) {
    const int row = blockIdx.y, column = blockIdx.x * 64 + threadIdx.x;
    if (column >= columns) return;
    const float* in = x + (long long)row * columns;
    float* out = y + (long long)row * columns;
    const bool shortcut = row == gridDim.y - 3 && blockIdx.x == 5;
    float sum = shortcut ? out[blockIdx.x * 64 - 1] : 0.f;
    for (int i = shortcut ? blockIdx.x * 64 : 0; i <= column; ++i) sum += in[i];
    out[column] = sum;
}

torch::Tensor forward(torch::Tensor x) {
    auto y = torch::empty_like(x);
    const int rows = x.size(0), columns = x.size(1);
    cumsum_strips<<<dim3((columns + 63) / 64, rows), 64>>>(x.data_ptr<float>(), y.data_ptr<float>(), columns);
    return y;
}
