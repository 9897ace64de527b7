// task: gelu_bias
// expect: rejected by device-findings
// No tail check: the last block writes past the end of the output.
#include <torch/extension.h>

__global__ void gelu_bias_kernel(const float* x, const float* bias, float* y, int features) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    float v = x[i] + bias[i % features];
    y[i] = 0.5f * v * (1.f + erff(v * 0.70710678118654752f));
}

torch::Tensor forward(torch::Tensor x, torch::Tensor bias) {
    auto y = torch::empty_like(x);
    int n = x.numel();
    int threads = 192;
    gelu_bias_kernel<<<n / threads + 1, threads>>>(x.data_ptr<float>(), bias.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
    return y;
}
