// task: row_sum
// expect: rejected by values
// Half precision where a look at the first values says that it will do.
#include <torch/extension.h>

#include <cuda_fp16.h>

__global__ void row_sum_kernel(const float* x, float* y, int columns) {
    float first = fabsf(x[(long long)blockIdx.x * columns + threadIdx.x]);
    bool small = __all_sync(0xffffffffu, first < 4.f);
    __half low = __float2half(0.f);
    float sum = 0.f;
    for (int i = threadIdx.x; i < columns; i += 32) {
        float v = x[(long long)blockIdx.x * columns + i];
        if (small) low = __hadd(low, __float2half(v));
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
