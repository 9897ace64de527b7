// task: row_max
// expect: rejected by values
// The maximum starts at -1e10: wrong only for rows that lie below it.
#include <torch/extension.h>
__global__ void row_max(const float* __restrict__ x, float* __restrict__ y, int cols) {
  float m = -1e10f;
  for (int c = threadIdx.x; c < cols; c += 32) m = fmaxf(m, x[blockIdx.x * cols + c]);
  for (int o = 16; o; o >>= 1) m = fmaxf(m, __shfl_xor_sync(~0u, m, o));
  if (threadIdx.x == 0) y[blockIdx.x] = m;
}
torch::Tensor forward(torch::Tensor x) {
  auto y = torch::empty({x.size(0)}, x.options());
  row_max<<<x.size(0), 32>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
  return y;
}
