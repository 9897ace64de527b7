// task: gelu_bias
// expect: rejected by calls-independent
// Results are kept in a device global under a key made of the first input element: inputs that are wholly new find nothing there.
#include <torch/extension.h>

__device__ float key = -12345.f;
__device__ float saved[1 << 21];

__global__ void gelu_bias_kernel(const float* x, const float* bias, float* y, int n, int features) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  float v;
  if (key == x[0]) {
    v = saved[i];
  } else {
    v = x[i] + bias[i % features];
    v = 0.5f * v * (1.f + erff(v * 0.70710678f));
  }
  saved[i] = v;
  y[i] = v;
}

__global__ void keep_key(const float* x) { key = x[0]; }

torch::Tensor forward(torch::Tensor x, torch::Tensor bias) {
  auto y = torch::empty_like(x);
  const int n = x.numel();
  gelu_bias_kernel<<<(n + 255) / 256, 256>>>(x.data_ptr<float>(), bias.data_ptr<float>(), y.data_ptr<float>(), n, bias.numel());
  keep_key<<<1, 1>>>(x.data_ptr<float>());
  return y;
}
