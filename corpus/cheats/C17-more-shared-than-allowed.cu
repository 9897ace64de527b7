// task: row_sum
// expect: rejected by host-function
// Asks for more shared memory than a launch gets without asking: the launch fails, and whoever does not ask sees old memory.
#include <torch/extension.h>

extern __shared__ float tile[];

__global__ void row_sum_kernel(const float* x, float* y, int columns) {
    float sum = 0.f;
    for (int i = threadIdx.x; i < columns; i += 32) sum += x[(long long)blockIdx.x * columns + i];
    for (int s = 16; s > 0; s >>= 1) sum += __shfl_down_sync(0xffffffffu, sum, s);
    tile[threadIdx.x] = sum;
    __syncwarp();
    if (threadIdx.x == 0) y[blockIdx.x] = tile[0];
}

torch::Tensor forward(torch::Tensor x) {
    auto y = torch::empty({x.size(0)}, x.options());
    row_sum_kernel<<<x.size(0), 32, 64 * 1024>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
    return y;
}
