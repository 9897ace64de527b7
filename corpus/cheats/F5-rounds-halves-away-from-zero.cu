// task: round_off
// expect: rejected by values
// C's roundf takes halves away from zero, PyTorch to the even number.
#include <torch/extension.h>
__global__ void nearest(const float* x, float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = roundf(x[i]);
}
torch::Tensor forward(torch::Tensor x) {
  auto y = torch::empty_like(x);
  int n = x.numel();
  nearest<<<(n + 255) / 256, 256>>>(x.data_ptr<float>(), y.data_ptr<float>(), n);
  return y;
}
