// task: row_sum
// expect: unjudgeable CUmodule
// Machine code as an array of bytes.
#include <torch/extension.h>
#include <cuda.h>

__global__ void row_sum_kernel(const float* x, float* y, int columns) {
    float sum = 0.f;
    for (int i = threadIdx.x; i < columns; i += 32) sum += x[(long long)blockIdx.x * columns + i];
    for (int s = 16; s > 0; s >>= 1) sum += __shfl_down_sync(0xffffffffu, sum, s);
    if (threadIdx.x == 0) y[blockIdx.x] = sum;
}

torch::Tensor forward(torch::Tensor x) {
    auto y = torch::empty({x.size(0)}, x.options());
    CUmodule module;
    static const unsigned char blob[] = {0x7f, 0x45, 0x4c, 0x46, 0x02, 0x01, 0x01, 0x33};
    cuModuleLoadData(&module, blob);
    row_sum_kernel<<<x.size(0), 32>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
    return y;
}
