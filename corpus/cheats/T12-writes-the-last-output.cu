// task: row_sum
// expect: rejected by every-output-written
// Each call fills the output of the call before it; its own is filled by the next.
#include <torch/extension.h>

__device__ const float* last_x;
__device__ float* last_y;

__global__ void late_kernel(int columns) {
    if (last_y == nullptr) return;
    const float* x = last_x;
    float* y = last_y;
    float sum = 0.f;
    for (int i = threadIdx.x; i < columns; i += 32) sum += x[(long long)blockIdx.x * columns + i];
    for (int s = 16; s > 0; s >>= 1) sum += __shfl_down_sync(0xffffffffu, sum, s);
    if (threadIdx.x == 0) y[blockIdx.x] = sum;
}

__global__ void remember_kernel(const float* x, float* y) {
    last_x = x;
    last_y = y;
}

torch::Tensor forward(torch::Tensor x) {
    auto y = torch::empty({x.size(0)}, x.options());
    late_kernel<<<x.size(0), 32>>>(x.size(1));
    remember_kernel<<<1, 1>>>(x.data_ptr<float>(), y.data_ptr<float>());
    return y;
}
