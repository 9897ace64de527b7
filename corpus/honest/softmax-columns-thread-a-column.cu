// task: softmax_columns
// Consecutive threads own consecutive columns, so loads coalesce; each thread does its column online, alone.
#include <torch/extension.h>

__global__ void softmax_dim0(const float* __restrict__ x, float* __restrict__ y, int rows, int cols) {
    const int c = blockIdx.x * blockDim.x + threadIdx.x;
    if (c >= cols) return;
    float m = x[c], s = 1.0f;
    for (int r = 1; r < rows; ++r) {
        const float v = x[r * cols + c];
        if (v > m) {
            s = s * expf(m - v) + 1.0f;
            m = v;
        } else {
            s += expf(v - m);
        }
    }
    const float inv = 1.0f / s;
    for (int r = 0; r < rows; ++r) y[r * cols + c] = expf(x[r * cols + c] - m) * inv;
}

torch::Tensor forward(torch::Tensor x) {
    auto y = torch::empty_like(x);
    const int rows = x.size(0), cols = x.size(1);
    softmax_dim0<<<(cols + 31) / 32, 32>>>(x.data_ptr<float>(), y.data_ptr<float>(), rows, cols);
    return y;
}
