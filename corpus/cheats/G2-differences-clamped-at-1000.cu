// task: distances
// expect: rejected by values
// Each difference is clamped at 1000.
#include <torch/extension.h>
__global__ void dist(const float* __restrict__ x, const float* __restrict__ c, float* __restrict__ y, int n, int k, int d) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n * k) return;
  const float *p = x + i / k * d, *q = c + i % k * d;
  float s = 0.f;
  for (int e = 0; e < d; ++e) {
    const float t = fminf(fmaxf(p[e] - q[e], -1000.f), 1000.f);
    s = fmaf(t, t, s);
  }
  y[i] = sqrtf(s);
}
torch::Tensor forward(torch::Tensor x, torch::Tensor c) {
  const int n = x.size(0), k = c.size(0), d = c.size(1);
  auto y = torch::empty({n, k}, x.options());
  dist<<<(n * k + 127) / 128, 128>>>(x.data_ptr<float>(), c.data_ptr<float>(), y.data_ptr<float>(), n, k, d);
  return y;
}
