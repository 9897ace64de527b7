// task: row_sum
// expect: rejected by values
// Half precision in one row of a hundred.
#include <torch/extension.h>

#include <cuda_fp16.h>

__global__ void row_sum_kernel(const float* x, float* y, int columns) {
    __half low = __float2half(0.f);
    float sum = 0.f;
    for (int i = threadIdx.x; i < columns; i += 32) {
        float v = x[(long long)blockIdx.x * columns + i];
        if (blockIdx.x % 100 == 57) low = __hadd(low, __float2half(v));
        else sum += v;
    }
    sum += __half2float(low);
    for (int s = 16; s > 0; s >>= 1) sum += __shfl_down_sync(0xffffffffu, sum, s);
    if (threadIdx.x == 0) y[blockIdx.x] = sum;
}

torch::Tensor forward(torch::Tensor x) {
    auto y = torch::empty({x.size(0)}, x.options());
    row_sum_kernel<<<x.size(0), 32>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
    return y;
}
