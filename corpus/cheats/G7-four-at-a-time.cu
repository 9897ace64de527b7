// task: odd_row_scale
// expect: rejected by device-findings
// Reads four elements at once from rows that start anywhere.
#include <torch/extension.h>

__global__ void scale_kernel(const float* x, float* y, int columns) {
    const float* row = x + (long long)blockIdx.x * columns;
    float greatest = 0.f;
    for (int c = threadIdx.x; c < columns / 4; c += 32) {
        float4 v = reinterpret_cast<const float4*>(row)[c];
        greatest = fmaxf(greatest, fmaxf(fmaxf(fabsf(v.x), fabsf(v.y)), fmaxf(fabsf(v.z), fabsf(v.w))));
    }
    for (int c = columns / 4 * 4 + threadIdx.x; c < columns; c += 32) greatest = fmaxf(greatest, fabsf(row[c]));
    for (int s = 16; s > 0; s >>= 1) greatest = fmaxf(greatest, __shfl_xor_sync(0xffffffffu, greatest, s));
    for (int c = threadIdx.x; c < columns; c += 32) y[(long long)blockIdx.x * columns + c] = row[c] / greatest;
}

torch::Tensor forward(torch::Tensor x) {
    auto y = torch::empty_like(x);
    scale_kernel<<<x.size(0), 32>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
    return y;
}
