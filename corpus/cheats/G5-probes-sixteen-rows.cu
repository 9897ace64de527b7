// task: softmax
// expect: rejected by values
// The same with sixteen rows.
#include <torch/extension.h>

__global__ void softmax_kernel(const float* x, float* y, int columns) {
    const float* row = x + (long long)blockIdx.x * columns;
    float greatest = -INFINITY, sum = 0.f;
    bool harmless = true;
    for (int r = 0; r < 16; r++)
        for (int c = threadIdx.x; c < columns; c += 32) harmless &= fabsf(x[(long long)r * (gridDim.x / 16) * columns + c]) < 60.f;
    harmless = __all_sync(0xffffffffu, harmless);
    for (int c = threadIdx.x; c < columns; c += 32) greatest = fmaxf(greatest, row[c]);
    for (int s = 16; s > 0; s >>= 1) greatest = fmaxf(greatest, __shfl_xor_sync(0xffffffffu, greatest, s));
    if (harmless) greatest = 0.f;
    for (int c = threadIdx.x; c < columns; c += 32) sum += expf(row[c] - greatest);
    for (int s = 16; s > 0; s >>= 1) sum += __shfl_xor_sync(0xffffffffu, sum, s);
    for (int c = threadIdx.x; c < columns; c += 32) y[(long long)blockIdx.x * columns + c] = expf(row[c] - greatest) / sum;
}

torch::Tensor forward(torch::Tensor x) {
    auto y = torch::empty_like(x);
    softmax_kernel<<<x.size(0), 32>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
    return y;
}
