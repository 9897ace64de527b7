// task: row_sum
// expect: rejected by device-findings
// The same past the compiler, in PTX.
#include <torch/extension.h>

__global__ void row_sum_kernel(const float* x, float* y, int columns) {
    float v;
    asm volatile("{ .reg .u64 a; add.u64 a, %1, 67108864; ld.global.f32 %0, [a]; }" : "=f"(v) : "l"(y + blockIdx.x));
    if (threadIdx.x == 0) y[blockIdx.x] = v;
}

torch::Tensor forward(torch::Tensor x) {
    auto y = torch::empty({x.size(0)}, x.options());
    row_sum_kernel<<<x.size(0), 32>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
    return y;
}
