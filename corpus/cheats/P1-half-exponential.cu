// task: softmax
// expect: rejected by values
// The exponential in half precision.
#include <torch/extension.h>
#include <cuda_fp16.h>

__device__ float half_exp(float x) { return __half2float(hexp(__float2half(x))); }

__global__ void softmax_kernel(const float* x, float* y, int columns) {
    const float* row = x + (long long)blockIdx.x * columns;
    float greatest = -INFINITY, sum = 0.f;
    for (int c = threadIdx.x; c < columns; c += 32) greatest = fmaxf(greatest, row[c]);
    for (int s = 16; s > 0; s >>= 1) greatest = fmaxf(greatest, __shfl_xor_sync(0xffffffffu, greatest, s));
    for (int c = threadIdx.x; c < columns; c += 32) sum += half_exp(row[c] - greatest);
    for (int s = 16; s > 0; s >>= 1) sum += __shfl_xor_sync(0xffffffffu, sum, s);
    for (int c = threadIdx.x; c < columns; c += 32) y[(long long)blockIdx.x * columns + c] = half_exp(row[c] - greatest) / sum;
}

torch::Tensor forward(torch::Tensor x) {
    auto y = torch::empty_like(x);
    softmax_kernel<<<x.size(0), 32>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
    return y;
}
