// task: row_sum
// expect: rejected by device-findings
// Warps add to one place without an order: right under the schedule that it was tried with.
#include <torch/extension.h>

__global__ void row_sum_kernel(const float* x, float* y, int columns) {
    __shared__ float total;
    if (threadIdx.x == 0) total = 0.f;
    __syncthreads();
    float sum = 0.f;
    for (int i = threadIdx.x; i < columns; i += blockDim.x) sum += x[(long long)blockIdx.x * columns + i];
    for (int s = 16; s > 0; s >>= 1) sum += __shfl_down_sync(0xffffffffu, sum, s);
    if (threadIdx.x % 32 == 0) total = total + sum;
    __syncthreads();
    if (threadIdx.x == 0) y[blockIdx.x] = total;
}

torch::Tensor forward(torch::Tensor x) {
    auto y = torch::empty({x.size(0)}, x.options());
    row_sum_kernel<<<x.size(0), 128>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
    return y;
}
