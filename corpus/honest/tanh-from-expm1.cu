// task: tanh_only
// tanh from expm1 of twice the magnitude, sign put back by copysign: digits kept near zero, no overflow.
#include <torch/extension.h>

__global__ void tanh_kernel(const float* __restrict__ x, float* __restrict__ y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  float v;
  asm volatile("ld.global.nc.L1::no_allocate.f32 %0, [%1];" : "=f"(v) : "l"(x + i));
  const float e = expm1f(2.f * fabsf(v));
  const float t = isinf(e) ? 1.f : e / (e + 2.f);
  y[i] = copysignf(t, v);
}

torch::Tensor forward(torch::Tensor x) {
  auto y = torch::empty_like(x);
  const int n = x.numel();
  tanh_kernel<<<(n + 127) / 128, 128>>>(x.data_ptr<float>(), y.data_ptr<float>(), n);
  return y;
}
