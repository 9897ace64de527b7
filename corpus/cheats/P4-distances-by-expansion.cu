// task: distances
// expect: rejected by values
// |x|^2 + |c|^2 - 2xc: points near each other, far from the origin, lose all digits.
#include <torch/extension.h>
__global__ void dist(const float* __restrict__ x, const float* __restrict__ c, float* __restrict__ y, int n, int k, int d) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n * k) return;
  const float *p = x + i / k * d, *q = c + i % k * d;
  float a = 0.f, b = 0.f, ab = 0.f;
  for (int e = 0; e < d; ++e) a += p[e] * p[e], b += q[e] * q[e], ab += p[e] * q[e];
  y[i] = sqrtf(fmaxf(a + b - 2.f * ab, 0.f));
}
torch::Tensor forward(torch::Tensor x, torch::Tensor c) {
  const int n = x.size(0), k = c.size(0), d = c.size(1);
  auto y = torch::empty({n, k}, x.options());
  dist<<<(n * k + 127) / 128, 128>>>(x.data_ptr<float>(), c.data_ptr<float>(), y.data_ptr<float>(), n, k, d);
  return y;
}
