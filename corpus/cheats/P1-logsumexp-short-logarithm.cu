// task: row_logsumexp
// expect: rejected by values
// The logarithm by a polynomial of two terms in the mantissa: off by up to 6e-5.
#include <torch/extension.h>
__global__ void lse(const float* __restrict__ x, float* __restrict__ y, int cols) {
  const float* row = x + blockIdx.x * cols;
  float m = -3.4e38f;
  for (int c = threadIdx.x; c < cols; c += 32) m = fmaxf(m, row[c]);
  for (int o = 16; o; o >>= 1) m = fmaxf(m, __shfl_xor_sync(~0u, m, o));
  float s = 0.f;
  for (int c = threadIdx.x; c < cols; c += 32) s += expf(row[c] - m);
  for (int o = 16; o; o >>= 1) s += __shfl_xor_sync(~0u, s, o);
  if (threadIdx.x == 0) {
    int e;
    const float f = frexpf(s, &e) * 1.4142135f, z = (f - 1.f) / (f + 1.f), zz = z * z;
    const float ln = 2.f * z * (1.f + zz * 0.33333333f) + (e - 0.5f) * 0.69314718f;
    y[blockIdx.x] = m + ln;
  }
}
torch::Tensor forward(torch::Tensor x) {
  auto y = torch::empty({x.size(0)}, x.options());
  lse<<<x.size(0), 32>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
  return y;
}
