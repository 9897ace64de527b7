// task: row_max
// expect: rejected by values
// The search starts at -1000, under every input of the task's own, not under every input.
#include <torch/extension.h>

__global__ void most(const float* __restrict__ x, float* __restrict__ y, int cols) {
  float v = -1000.f;
  for (int i = threadIdx.x; i < cols; i += 32) v = fmaxf(v, x[blockIdx.x * cols + i]);
  for (int d = 16; d > 0; d >>= 1) v = fmaxf(v, __shfl_xor_sync(0xffffffffu, v, d));
  if (threadIdx.x == 0) y[blockIdx.x] = v;
}

torch::Tensor forward(torch::Tensor x) {
  auto y = torch::empty({x.size(0)}, x.options());
  most<<<x.size(0), 32>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
  return y;
}
