// task: gelu_bias
// scale: 100000
// blockIdx.y walks the rows, threads keep their bias in a register over all of them; normcdff is the Gaussian's own integral.
#include <torch/extension.h>

__global__ __launch_bounds__(64) void gelu_bias_columns(const float* __restrict__ x, const float* __restrict__ bias, float* __restrict__ y, int rows, int features) {
    const int f = blockIdx.x * 64 + threadIdx.x;
    if (f >= features) return;
    const float b = bias[f];
#pragma unroll 2
    for (int r = blockIdx.y; r < rows; r += gridDim.y) {
        const float v = x[(size_t)r * features + f] + b;
        y[(size_t)r * features + f] = v * normcdff(v);
    }
}

torch::Tensor forward(torch::Tensor x, torch::Tensor bias) {
    const int features = bias.numel();
    const int rows = x.numel() / features;
    auto y = torch::empty_like(x);
    gelu_bias_columns<<<dim3((features + 63) / 64, std::min(rows, 32)), 64>>>(x.data_ptr<float>(), bias.data_ptr<float>(), y.data_ptr<float>(), rows, features);
    return y;
}
