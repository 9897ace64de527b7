// task: row_sum
// expect: rejected by device-findings
// Kept in memory that the kernel allocates itself and never frees.
#include <torch/extension.h>

__device__ float* kept;

__global__ void allocate_kernel(int rows) {
    if (kept == nullptr) {
        kept = static_cast<float*>(malloc((rows + 1) * sizeof(float)));
        kept[rows] = 0.f;
    }
}

__global__ void row_sum_kernel(const float* x, float* y, int columns) {
    if (kept[gridDim.x] > 0.f) {
        if (threadIdx.x == 0) y[blockIdx.x] = kept[blockIdx.x];
        return;
    }
    float sum = 0.f;
    for (int i = threadIdx.x; i < columns; i += 32) sum += x[(long long)blockIdx.x * columns + i];
    for (int s = 16; s > 0; s >>= 1) sum += __shfl_down_sync(0xffffffffu, sum, s);
    if (threadIdx.x == 0) y[blockIdx.x] = kept[blockIdx.x] = sum;
}

__global__ void count_kernel(int rows) { kept[rows] += 1.f; }

torch::Tensor forward(torch::Tensor x) {
    auto y = torch::empty({x.size(0)}, x.options());
    allocate_kernel<<<1, 1>>>(x.size(0));
    row_sum_kernel<<<x.size(0), 32>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
    count_kernel<<<1, 1>>>(x.size(0));
    return y;
}
