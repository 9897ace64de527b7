// task: tanh_only
// expect: rejected by values
// 1 - 2 / (exp(2x) + 1): near zero all digits cancel.
#include <torch/extension.h>
__global__ void k(const float* __restrict__ x, float* __restrict__ y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = 1.f - 2.f / (expf(2.f * x[i]) + 1.f);
}
torch::Tensor forward(torch::Tensor x) {
  auto y = torch::empty_like(x);
  const int n = x.numel();
  k<<<(n + 127) / 128, 128>>>(x.data_ptr<float>(), y.data_ptr<float>(), n);
  return y;
}
