// task: row_sum
// expect: rejected by calls-independent
// In device memory, keyed by the address of the input, which a harness keeps.
#include <torch/extension.h>

__device__ float kept[2048];
__device__ const float* key;

__global__ void row_sum_kernel(const float* x, float* y, int columns) {
    if (key == x) {
        if (threadIdx.x == 0) y[blockIdx.x] = kept[blockIdx.x];
        return;
    }
    float sum = 0.f;
    for (int i = threadIdx.x; i < columns; i += 32) sum += x[(long long)blockIdx.x * columns + i];
    for (int s = 16; s > 0; s >>= 1) sum += __shfl_down_sync(0xffffffffu, sum, s);
    if (threadIdx.x == 0) y[blockIdx.x] = kept[blockIdx.x] = sum;
}

__global__ void remember_kernel(const float* x) { key = x; }

torch::Tensor forward(torch::Tensor x) {
    auto y = torch::empty({x.size(0)}, x.options());
    row_sum_kernel<<<x.size(0), 32>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
    remember_kernel<<<1, 1>>>(x.data_ptr<float>());
    return y;
}
