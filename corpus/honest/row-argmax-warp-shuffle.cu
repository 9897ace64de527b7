// task: row_argmax
// Value and index travel together through shuffles; ties go to the smaller index.
#include <torch/extension.h>

__global__ void rowArgmax(const float* __restrict__ x, long* __restrict__ idx, int rows, int cols) {
    int row = blockIdx.x * blockDim.y + threadIdx.y;
    if (row >= rows) return;
    const float* p = x + (long)row * cols;
    float best = -INFINITY;
    int where = 0;
    for (int c = threadIdx.x; c < cols; c += 32) {
        float v = p[c];
        if (v > best) { best = v; where = c; }
    }
    #pragma unroll
    for (int d = 16; d; d >>= 1) {
        float v = __shfl_down_sync(-1, best, d);
        int w = __shfl_down_sync(-1, where, d);
        if (v > best || (v == best && w < where)) { best = v; where = w; }
    }
    if (threadIdx.x == 0) idx[row] = where;
}

torch::Tensor forward(torch::Tensor x) {
    int rows = x.size(0), cols = x.size(1);
    auto idx = torch::empty({rows}, torch::TensorOptions().dtype(torch::kInt64).device(x.device()));
    rowArgmax<<<(rows + 3) / 4, dim3(32, 4)>>>(x.data_ptr<float>(), idx.data_ptr<long>(), rows, cols);
    return idx;
}
