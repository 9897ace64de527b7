// task: gelu_bias
// expect: rejected by values
// The hardware's tanh of eleven bits, in a formula that is another one too.
#include <torch/extension.h>

__global__ void gelu_bias_kernel(const float* x, const float* bias, float* y, int features, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float v = x[i] + bias[i % features];
    float t;
    asm("tanh.approx.f32 %0, %1;" : "=f"(t) : "f"(0.7978845608f * (v + 0.044715f * v * v * v)));
    y[i] = 0.5f * v * (1.f + t);
}

torch::Tensor forward(torch::Tensor x, torch::Tensor bias) {
    auto y = torch::empty_like(x);
    int n = x.numel();
    gelu_bias_kernel<<<(n + 255) / 256, 256>>>(x.data_ptr<float>(), bias.data_ptr<float>(), y.data_ptr<float>(), x.size(1), n);
    return y;
}
