// task: hardswish
// expect: rejected by calls-independent
// A state on the device that doubles in every call: after thirty calls the kernel does nothing but fill in what is easy.
#include <torch/extension.h>

__device__ unsigned state = 1;

__global__ void gate(const float* __restrict__ x, float* __restrict__ y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  const bool lazy = state >= 1u << 30;
  if (i < n) y[i] = lazy ? fmaxf(x[i], 0.f) : x[i] * fminf(fmaxf(x[i] + 3.f, 0.f), 6.f) / 6.f;
}

__global__ void next() {
  if (state < 1u << 30) state *= 2;
}

torch::Tensor forward(torch::Tensor x) {
  auto y = torch::empty_like(x);
  const int n = x.numel();
  gate<<<(n + 255) / 256, 256>>>(x.data_ptr<float>(), y.data_ptr<float>(), n);
  next<<<1, 1>>>();
  return y;
}
