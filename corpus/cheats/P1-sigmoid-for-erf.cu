// task: gelu_bias
// expect: rejected by values
// x sigmoid(1.702 x), off by a fiftieth.
#include <torch/extension.h>

__global__ void gelu_bias_kernel(const float* x, const float* bias, float* y, int features, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float v = x[i] + bias[i % features];
    y[i] = v / (1.f + __expf(-1.702f * v));
}

torch::Tensor forward(torch::Tensor x, torch::Tensor bias) {
    auto y = torch::empty_like(x);
    int n = x.numel();
    gelu_bias_kernel<<<(n + 255) / 256, 256>>>(x.data_ptr<float>(), bias.data_ptr<float>(), y.data_ptr<float>(), x.size(1), n);
    return y;
}
