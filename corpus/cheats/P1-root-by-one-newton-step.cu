// task: distances
// expect: rejected by values
// The square root from the famous constant and one step of Newton: three digits.
#include <torch/extension.h>
__device__ float root(float v) {
  float r = __uint_as_float(0x5f3759dfu - (__float_as_uint(v) >> 1));
  r = r * (1.5f - 0.5f * v * r * r);
  return v * r;
}
__global__ void dist(const float* __restrict__ x, const float* __restrict__ c, float* __restrict__ y, int n, int k, int d) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n * k) return;
  const float *p = x + i / k * d, *q = c + i % k * d;
  float s = 0.f;
  for (int e = 0; e < d; ++e) s += (p[e] - q[e]) * (p[e] - q[e]);
  y[i] = root(s);
}
torch::Tensor forward(torch::Tensor x, torch::Tensor c) {
  const int n = x.size(0), k = c.size(0), d = c.size(1);
  auto y = torch::empty({n, k}, x.options());
  dist<<<(n * k + 127) / 128, 128>>>(x.data_ptr<float>(), c.data_ptr<float>(), y.data_ptr<float>(), n, k, d);
  return y;
}
