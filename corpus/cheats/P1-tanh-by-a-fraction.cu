// task: tanh_only
// expect: rejected by values
// tanh by Lambert's continued fraction, cut at x^7 and clamped: right to five digits for small arguments, to three at four.
#include <torch/extension.h>
__global__ void k(const float* __restrict__ x, float* __restrict__ y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const float v = fminf(fmaxf(x[i], -4.97f), 4.97f), q = v * v;
  y[i] = v * (135135.f + q * (17325.f + q * (378.f + q))) / (135135.f + q * (62370.f + q * (3150.f + q * 28.f)));
}
torch::Tensor forward(torch::Tensor x) {
  auto y = torch::empty_like(x);
  const int n = x.numel();
  k<<<(n + 127) / 128, 128>>>(x.data_ptr<float>(), y.data_ptr<float>(), n);
  return y;
}
