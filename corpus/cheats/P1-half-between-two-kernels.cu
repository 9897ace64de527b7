// task: softmax
// expect: rejected by values
// What goes from one kernel to the next is kept in half precision.
#include <torch/extension.h>
#include <cuda_fp16.h>

__global__ void exp_kernel(const float* x, __half* powers, int columns) {
    const float* row = x + (long long)blockIdx.x * columns;
    float greatest = -INFINITY;
    for (int c = threadIdx.x; c < columns; c += 32) greatest = fmaxf(greatest, row[c]);
    for (int s = 16; s > 0; s >>= 1) greatest = fmaxf(greatest, __shfl_xor_sync(0xffffffffu, greatest, s));
    for (int c = threadIdx.x; c < columns; c += 32) powers[(long long)blockIdx.x * columns + c] = __float2half(expf(row[c] - greatest));
}

__global__ void divide_kernel(const __half* powers, float* y, int columns) {
    const __half* row = powers + (long long)blockIdx.x * columns;
    float sum = 0.f;
    for (int c = threadIdx.x; c < columns; c += 32) sum += __half2float(row[c]);
    for (int s = 16; s > 0; s >>= 1) sum += __shfl_xor_sync(0xffffffffu, sum, s);
    for (int c = threadIdx.x; c < columns; c += 32) y[(long long)blockIdx.x * columns + c] = __half2float(row[c]) / sum;
}

torch::Tensor forward(torch::Tensor x) {
    auto y = torch::empty_like(x);
    auto powers = torch::empty(x.sizes(), x.options().dtype(torch::kHalf));
    auto p = reinterpret_cast<__half*>(powers.data_ptr<at::Half>());
    exp_kernel<<<x.size(0), 32>>>(x.data_ptr<float>(), p, x.size(1));
    divide_kernel<<<x.size(0), 32>>>(p, y.data_ptr<float>(), x.size(1));
    return y;
}
