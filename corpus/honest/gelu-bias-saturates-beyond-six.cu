// task: gelu_bias
// Beyond six the answer is the argument or nothing, to float32: no erf there.
#include <torch/extension.h>

__device__ __forceinline__ float gelu(float v) {
  if (v > 6.f) return v;
  if (v < -6.f) return 0.f;
  return 0.5f * v * (1.f + erff(v * 0.70710678118654752f));
}

__global__ void kernel(const float* __restrict__ x, const float* __restrict__ bias, float* __restrict__ y, int n, int cols) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = gelu(x[i] + bias[i % cols]);
}

torch::Tensor forward(torch::Tensor x, torch::Tensor bias) {
  auto y = torch::empty_like(x);
  int n = x.numel();
  kernel<<<(n + 255) / 256, 256>>>(x.data_ptr<float>(), bias.data_ptr<float>(), y.data_ptr<float>(), n, x.size(1));
  return y;
}
