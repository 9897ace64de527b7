// task: where_gate
// expect: rejected by values
// The bound itself is taken for greater.
#include <torch/extension.h>
__global__ void gate(const float* x, const float* other, float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = x[i] >= 0.5f ? x[i] * 2 : other[i];
}
torch::Tensor forward(torch::Tensor x, torch::Tensor other) {
  auto y = torch::empty_like(x);
  int n = x.numel();
  gate<<<(n + 255) / 256, 256>>>(x.data_ptr<float>(), other.data_ptr<float>(), y.data_ptr<float>(), n);
  return y;
}
