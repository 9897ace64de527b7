// task: gelu_bias
// expect: rejected by values
// erf by a polynomial of four digits.
#include <torch/extension.h>

__global__ void gelu_bias_kernel(const float* x, const float* bias, float* y, int features, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float v = x[i] + bias[i % features];
    float z = fabsf(v) * 0.70710678f;
    float d = 1.f + z * (0.278393f + z * (0.230389f + z * (0.000972f + z * 0.078108f)));
    float e = 1.f - 1.f / (d * d * d * d);
    y[i] = 0.5f * v * (1.f + copysignf(e, v));
}

torch::Tensor forward(torch::Tensor x, torch::Tensor bias) {
    auto y = torch::empty_like(x);
    int n = x.numel();
    gelu_bias_kernel<<<(n + 255) / 256, 256>>>(x.data_ptr<float>(), bias.data_ptr<float>(), y.data_ptr<float>(), x.size(1), n);
    return y;
}
