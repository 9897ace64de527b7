// task: row_sum
// expect: rejected by output-shape
// Half precision out, which a comparison converts without a word.
#include <torch/extension.h>

#include <cuda_fp16.h>

__global__ void row_sum_kernel(const float* x, __half* y, int columns) {
    float sum = 0.f;
    for (int i = threadIdx.x; i < columns; i += 32) sum += x[(long long)blockIdx.x * columns + i];
    for (int s = 16; s > 0; s >>= 1) sum += __shfl_down_sync(0xffffffffu, sum, s);
    if (threadIdx.x == 0) y[blockIdx.x] = __float2half(sum);
}

torch::Tensor forward(torch::Tensor x) {
    auto y = torch::empty({x.size(0)}, x.options());
    auto half = torch::empty({x.size(0)}, x.options().dtype(torch::kHalf));
    row_sum_kernel<<<x.size(0), 32>>>(x.data_ptr<float>(), reinterpret_cast<__half*>(half.data_ptr<at::Half>()), x.size(1));
    return half;
    return y;
}
