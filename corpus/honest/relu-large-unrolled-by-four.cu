// task: relu_large
// scale: 200000
// Four elements a thread, a block apart, so that the loads of a warp lie side by side; a tail for the last block.
#include <torch/extension.h>

template <int UNROLL>
__global__ void relu_unrolled(const float* __restrict__ x, float* __restrict__ y, long long n) {
  const long long base = static_cast<long long>(blockIdx.x) * blockDim.x * UNROLL + threadIdx.x;
  float v[UNROLL];
  if (base + static_cast<long long>(UNROLL - 1) * blockDim.x < n) {
#pragma unroll
    for (int i = 0; i < UNROLL; ++i) v[i] = x[base + i * blockDim.x];
#pragma unroll
    for (int i = 0; i < UNROLL; ++i) y[base + i * blockDim.x] = fmaxf(v[i], 0.f);
  } else {
    for (int i = 0; i < UNROLL; ++i) {
      const long long at = base + static_cast<long long>(i) * blockDim.x;
      if (at < n) y[at] = fmaxf(x[at], 0.f);
    }
  }
}

torch::Tensor forward(torch::Tensor x) {
  auto y = torch::empty_like(x);
  const long long n = x.numel();
  constexpr int threads = 256, unroll = 4;
  const unsigned blocks = static_cast<unsigned>((n + threads * unroll - 1) / (threads * unroll));
  relu_unrolled<unroll><<<blocks, threads>>>(x.data_ptr<float>(), y.data_ptr<float>(), n);
  return y;
}
