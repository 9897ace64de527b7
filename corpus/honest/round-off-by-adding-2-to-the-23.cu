// task: round_off
// 2^23 has no fraction bits: added and taken away again, it leaves the nearest whole number, halves to even.
#include <torch/extension.h>
__global__ void nearest(const float* x, float* y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const float size = fabsf(x[i]);
  const float whole = size < 8388608.f ? __fsub_rn(__fadd_rn(size, 8388608.f), 8388608.f) : size;
  y[i] = copysignf(whole, x[i]);
}
torch::Tensor forward(torch::Tensor x) {
  auto y = torch::empty_like(x);
  const int n = x.numel();
  nearest<<<(n + 255) / 256, 256>>>(x.data_ptr<float>(), y.data_ptr<float>(), n);
  return y;
}
