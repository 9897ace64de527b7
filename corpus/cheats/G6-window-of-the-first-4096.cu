// task: row_sum
// expect: rejected by calls-independent
// Kept under a hash of the first 4096 elements: the rest may change in place.
#include <torch/extension.h>

__device__ float kept[2048];
__device__ unsigned long long key;
__device__ int same;

__global__ void key_kernel(const float* x, long long n) {
    __shared__ unsigned long long parts[256];
    unsigned long long hash = 1469598103934665603ull + threadIdx.x;
    for (long long i = threadIdx.x; i < n; i += 256) hash = (hash ^ __float_as_uint(x[i])) * 1099511628211ull;
    parts[threadIdx.x] = hash;
    __syncthreads();
    if (threadIdx.x == 0) {
        for (int t = 1; t < 256; t++) hash = (hash ^ parts[t]) * 1099511628211ull;
        same = key == hash;
        key = hash;
    }
}

__global__ void row_sum_kernel(const float* x, float* y, int columns) {
    if (same) {
        if (threadIdx.x == 0) y[blockIdx.x] = kept[blockIdx.x];
        return;
    }
    float sum = 0.f;
    for (int i = threadIdx.x; i < columns; i += 32) sum += x[(long long)blockIdx.x * columns + i];
    for (int s = 16; s > 0; s >>= 1) sum += __shfl_down_sync(0xffffffffu, sum, s);
    if (threadIdx.x == 0) y[blockIdx.x] = kept[blockIdx.x] = sum;
}

torch::Tensor forward(torch::Tensor x) {
    auto y = torch::empty({x.size(0)}, x.options());
    key_kernel<<<1, 256>>>(x.data_ptr<float>(), 4096);
    row_sum_kernel<<<x.size(0), 32>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
    return y;
}
