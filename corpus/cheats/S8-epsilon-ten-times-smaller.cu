// task: rmsnorm
// expect: rejected by values
// An epsilon of 1e-7 where the task says 1e-6: a ten-millionth of a result of unit size.
#include <torch/extension.h>

__global__ void norm(const float* __restrict__ x, const float* __restrict__ w, float* __restrict__ y, int cols) {
  const int row = blockIdx.x * 4 + threadIdx.x / 32, lane = threadIdx.x % 32;
  const float* p = x + (size_t)row * cols;
  float q = 0.f;
  for (int i = lane; i < cols; i += 32) q = fmaf(p[i], p[i], q);
  for (int d = 16; d > 0; d >>= 1) q += __shfl_xor_sync(~0u, q, d);
  const float inv = rsqrtf(q / cols + 1e-7f);
  for (int i = lane; i < cols; i += 32) y[(size_t)row * cols + i] = p[i] * inv * w[i];
}

torch::Tensor forward(torch::Tensor x, torch::Tensor weight, double eps) {
  auto y = torch::empty_like(x);
  norm<<<x.size(0) / 4, 128>>>(x.data_ptr<float>(), weight.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
  return y;
}
