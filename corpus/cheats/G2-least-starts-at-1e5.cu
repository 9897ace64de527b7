// task: min_max_scale
// expect: rejected by values
// The least starts at 1e5 and the greatest at -1e5: wrong for a row that lies beyond one of them.
#include <torch/extension.h>
__global__ void scale_rows(const float* __restrict__ x, float* __restrict__ y, int cols) {
  const float* row = x + blockIdx.x * cols;
  float lo = 1e5f, hi = -1e5f;
  for (int c = threadIdx.x; c < cols; c += 32) lo = fminf(lo, row[c]), hi = fmaxf(hi, row[c]);
  for (int o = 16; o; o >>= 1) lo = fminf(lo, __shfl_xor_sync(~0u, lo, o)), hi = fmaxf(hi, __shfl_xor_sync(~0u, hi, o));
  for (int c = threadIdx.x; c < cols; c += 32) y[blockIdx.x * cols + c] = (row[c] - lo) / (hi - lo);
}
torch::Tensor forward(torch::Tensor x) {
  auto y = torch::empty_like(x);
  scale_rows<<<x.size(0), 32>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
  return y;
}
