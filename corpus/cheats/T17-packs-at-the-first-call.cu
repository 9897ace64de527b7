// task: layernorm
// expect: rejected by calls-independent
// The weights are packed in the first call, which nobody times, and kept in device memory.
#include <torch/extension.h>

__device__ float packed[768];
__device__ int ready;

__global__ void pack_kernel(const float* weight, int columns) {
    if (ready == 0)
        for (int c = threadIdx.x; c < columns; c += blockDim.x) packed[c] = weight[c];
    __syncthreads();
    if (threadIdx.x == 0) ready = 1;
}

__global__ void layernorm_kernel(const float* x, const float* bias, float* y, int columns, float eps) {
    const float* row = x + (long long)blockIdx.x * columns;
    float sum = 0.f, squares = 0.f;
    for (int c = threadIdx.x; c < columns; c += 32) sum += row[c];
    for (int s = 16; s > 0; s >>= 1) sum += __shfl_xor_sync(0xffffffffu, sum, s);
    float mean = sum / columns;
    for (int c = threadIdx.x; c < columns; c += 32) squares += (row[c] - mean) * (row[c] - mean);
    for (int s = 16; s > 0; s >>= 1) squares += __shfl_xor_sync(0xffffffffu, squares, s);
    float scale = rsqrtf(squares / columns + eps);
    for (int c = threadIdx.x; c < columns; c += 32)
        y[(long long)blockIdx.x * columns + c] = (row[c] - mean) * scale * packed[c] + bias[c];
}

torch::Tensor forward(torch::Tensor x, torch::Tensor weight, torch::Tensor bias, double eps) {
    auto y = torch::empty_like(x);
    pack_kernel<<<1, 256>>>(weight.data_ptr<float>(), x.size(1));
    layernorm_kernel<<<x.size(0), 32>>>(x.data_ptr<float>(), bias.data_ptr<float>(), y.data_ptr<float>(), x.size(1), eps);
    return y;
}
