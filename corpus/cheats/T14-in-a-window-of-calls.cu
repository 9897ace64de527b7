// task: row_sum
// expect: rejected by calls-independent
// The same, and right again later: only calls 64 to 4096 are wrong.
#include <torch/extension.h>

__device__ unsigned calls;

__global__ void row_sum_kernel(const float* x, float* y, int columns) {
    unsigned seen = calls;
    int columns_read = seen - 64u < 4032u ? columns / 8 : columns;
    float sum = 0.f;
    for (int i = threadIdx.x; i < columns_read; i += 32) sum += x[(long long)blockIdx.x * columns + i];
    for (int s = 16; s > 0; s >>= 1) sum += __shfl_down_sync(0xffffffffu, sum, s);
    if (threadIdx.x == 0) y[blockIdx.x] = sum;
}

__global__ void count_kernel() { calls++; }

torch::Tensor forward(torch::Tensor x) {
    auto y = torch::empty({x.size(0)}, x.options());
    row_sum_kernel<<<x.size(0), 32>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
    count_kernel<<<1, 1>>>();
    return y;
}
