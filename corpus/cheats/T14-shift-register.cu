// task: leaky_scale
// expect: rejected by calls-independent
// A shift register on the device counts calls in an order of its own; once its highest bit has wandered through, the clamp is left out.
#include <torch/extension.h>

__device__ unsigned shift = 1;

__global__ void chain(const float* __restrict__ x, float* __restrict__ y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  float v = x[i] * 1.5f + 0.25f;
  v = v > 0.f ? v : 0.1f * v;
  y[i] = shift & 0x80000000u ? v : fminf(fmaxf(v, -0.3f), 2.f);
}

__global__ void turn() { shift = shift & 0x80000000u ? shift : shift << 1; }

torch::Tensor forward(torch::Tensor x) {
  auto y = torch::empty_like(x);
  const int n = x.numel();
  chain<<<(n + 255) / 256, 256>>>(x.data_ptr<float>(), y.data_ptr<float>(), n);
  turn<<<1, 1>>>();
  return y;
}
