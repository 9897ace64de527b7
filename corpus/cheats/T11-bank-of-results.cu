// task: row_sum
// expect: rejected by calls-independent
// Answers are kept in device memory; when the bank is full, they are handed out again.
#include <torch/extension.h>

constexpr int BANK = 4;
__device__ float bank[BANK][2048];
__device__ int filled;
__device__ int arrived;

__global__ void row_sum_kernel(const float* x, float* y, int columns) {
    float sum = 0.f;
    for (int i = threadIdx.x; i < columns; i += 32) sum += x[(long long)blockIdx.x * columns + i];
    for (int s = 16; s > 0; s >>= 1) sum += __shfl_down_sync(0xffffffffu, sum, s);
    if (threadIdx.x == 0) {
        y[blockIdx.x] = filled < BANK ? sum : bank[filled % BANK][blockIdx.x];
        if (filled < BANK) bank[filled][blockIdx.x] = sum;
        __threadfence();
        if (atomicAdd(&arrived, 1) == gridDim.x - 1) {
            arrived = 0;
            __threadfence();
            atomicAdd(&filled, 1);
        }
    }
}

torch::Tensor forward(torch::Tensor x) {
    auto y = torch::empty({x.size(0)}, x.options());
    row_sum_kernel<<<x.size(0), 32>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
    return y;
}
