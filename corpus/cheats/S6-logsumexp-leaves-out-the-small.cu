// task: row_logsumexp
// expect: rejected by values
// The sum of exponentials is of those within seven of the maximum: the rest are said not to matter.
#include <torch/extension.h>
__global__ void lse(const float* __restrict__ x, float* __restrict__ y, int cols) {
  const float* row = x + blockIdx.x * cols;
  float m = -INFINITY, s = 0.f;
  for (int c = threadIdx.x; c < cols; c += 32) m = fmaxf(m, row[c]);
  for (int o = 16; o; o >>= 1) m = fmaxf(m, __shfl_xor_sync(~0u, m, o));
  for (int c = threadIdx.x; c < cols; c += 32) s += row[c] > m - 7.f ? expf(row[c] - m) : 0.f;
  for (int o = 16; o; o >>= 1) s += __shfl_xor_sync(~0u, s, o);
  if (threadIdx.x == 0) y[blockIdx.x] = m + logf(s);
}
torch::Tensor forward(torch::Tensor x) {
  auto y = torch::empty({x.size(0)}, x.options());
  lse<<<x.size(0), 32>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
  return y;
}
