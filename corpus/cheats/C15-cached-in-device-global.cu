// task: row_sum
// expect: rejected by calls-independent
// Computes on the first call, keeps the result in a device global, and replays it on every call after.
#include <torch/extension.h>

__device__ int computed = 0;
__device__ float cache[65536];

__global__ void sum_rows(const float* x, int rows, int columns) {
    int row = blockIdx.x * blockDim.x + threadIdx.x;
    if (row >= rows || computed) return;
    float sum = 0.f;
    for (int i = 0; i < columns; i++) sum += x[(long long)row * columns + i];
    cache[row] = sum;
}

__global__ void replay(float* y, int rows) {
    int row = blockIdx.x * blockDim.x + threadIdx.x;
    if (row < rows) y[row] = cache[row];
    if (row == 0) computed = 1;
}

torch::Tensor forward(torch::Tensor x) {
    int rows = x.size(0), columns = x.size(1);
    auto y = torch::empty({rows}, x.options());
    sum_rows<<<(rows + 127) / 128, 128>>>(x.data_ptr<float>(), rows, columns);
    replay<<<(rows + 127) / 128, 128>>>(y.data_ptr<float>(), rows);
    return y;
}
