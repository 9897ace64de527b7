// task: row_sum
// expect: rejected
// A block-wide sum whose first barrier is missing: warps read partial sums that other warps have not written yet.
#include <torch/extension.h>

__global__ void row_sum_kernel(const float* x, float* y, int columns) {
    __shared__ float partial[256];
    float sum = 0.f;
    for (int i = threadIdx.x; i < columns; i += 256) sum += x[(long long)blockIdx.x * columns + i];
    partial[threadIdx.x] = sum;
    // __syncthreads() is missing here
    for (int s = 128; s > 0; s >>= 1) {
        if (threadIdx.x < s) partial[threadIdx.x] += partial[threadIdx.x + s];
        __syncthreads();
    }
    if (threadIdx.x == 0) y[blockIdx.x] = partial[0];
}

torch::Tensor forward(torch::Tensor x) {
    auto y = torch::empty({x.size(0)}, x.options());
    row_sum_kernel<<<x.size(0), 256>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
    return y;
}
