// task: many_rows
// scale: 200000
// expect: rejected by full-size
// The same, decided by the host function.
#include <torch/extension.h>

#include <cuda_fp16.h>

__global__ void half_kernel(const float* x, float* y, int columns) {
    __half low = __float2half(0.f);
    float sum = 0.f;
    for (int i = threadIdx.x; i < columns; i += 32) {
        float v = x[(long long)blockIdx.x * columns + i];
        low = __hadd(low, __float2half(v));
    }
    sum += __half2float(low);
    for (int s = 16; s > 0; s >>= 1) sum += __shfl_down_sync(0xffffffffu, sum, s);
    if (threadIdx.x == 0) y[blockIdx.x] = sum;
}

__global__ void row_sum_kernel(const float* x, float* y, int columns) {
    float sum = 0.f;
    for (int i = threadIdx.x; i < columns; i += 32) sum += x[(long long)blockIdx.x * columns + i];
    for (int s = 16; s > 0; s >>= 1) sum += __shfl_down_sync(0xffffffffu, sum, s);
    if (threadIdx.x == 0) y[blockIdx.x] = sum;
}

torch::Tensor forward(torch::Tensor x) {
    auto y = torch::empty({x.size(0)}, x.options());
    auto kernel = x.size(0) > 4096 ? half_kernel : row_sum_kernel;
    kernel<<<x.size(0), 32>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
    return y;
}
