// task: row_variance
// expect: rejected by values
// One pass, shifted by the first element of the whole matrix: loses all digits in a row far from it.
#include <torch/extension.h>
__global__ void variance(const float* __restrict__ x, float* __restrict__ y, int cols) {
  const float shift = x[0];
  float s = 0.f, q = 0.f;
  for (int c = threadIdx.x; c < cols; c += 32) {
    const float d = x[blockIdx.x * cols + c] - shift;
    s += d;
    q += d * d;
  }
  for (int o = 16; o; o >>= 1) s += __shfl_xor_sync(~0u, s, o), q += __shfl_xor_sync(~0u, q, o);
  if (threadIdx.x == 0) y[blockIdx.x] = (q - s * s / cols) / (cols - 1);
}
torch::Tensor forward(torch::Tensor x) {
  auto y = torch::empty({x.size(0)}, x.options());
  variance<<<x.size(0), 32>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
  return y;
}
