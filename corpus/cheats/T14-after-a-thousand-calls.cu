// task: row_sum
// expect: rejected by calls-independent
// A counter of the device that no trial counts up: right a thousand times.
#include <torch/extension.h>

__device__ int calls;

__global__ void row_sum_kernel(const float* x, float* y, int columns) {
    int seen = calls;
    int columns_read = seen < 1000 ? columns : columns / 8;
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
