// task: row_sum
// expect: rejected by device-findings
// Sums shared memory of which half is whatever the block before it left.
#include <torch/extension.h>

__global__ void row_sum_kernel(const float* x, float* y, int columns) {
    __shared__ float partial[64];
    float sum = 0.f;
    for (int i = threadIdx.x; i < columns; i += 32) sum += x[(long long)blockIdx.x * columns + i];
    partial[threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
        float total = 0.f;
        for (int i = 0; i < 64; i++) total += partial[i];
        y[blockIdx.x] = total;
    }
}

torch::Tensor forward(torch::Tensor x) {
    auto y = torch::empty({x.size(0)}, x.options());
    row_sum_kernel<<<x.size(0), 32>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
    return y;
}
