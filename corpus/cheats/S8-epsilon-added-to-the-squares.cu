// task: l2_normalise
// expect: rejected by values
// Adds 1e-16 under the root for safety: rows of about 1e-9 come out a tenth of their length.
#include <torch/extension.h>
__global__ void normalise(const float* __restrict__ x, float* __restrict__ y, int cols) {
  const float* row = x + blockIdx.x * cols;
  float q = 0.f;
  for (int c = threadIdx.x; c < cols; c += 32) q += row[c] * row[c];
  for (int o = 16; o; o >>= 1) q += __shfl_xor_sync(~0u, q, o);
  const float f = rsqrtf(q + 1e-16f);
  for (int c = threadIdx.x; c < cols; c += 32) y[blockIdx.x * cols + c] = row[c] * f;
}
torch::Tensor forward(torch::Tensor x) {
  auto y = torch::empty_like(x);
  normalise<<<x.size(0), 32>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
  return y;
}
