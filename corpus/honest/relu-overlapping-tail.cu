// task: relu
// Every thread takes eight neighbours; the last one moves back until it fits, so a few elements are written twice, with the same values.
#include <torch/extension.h>

__global__ void relu_eight(const float* __restrict__ x, float* __restrict__ y, long long n) {
  long long start = (blockIdx.x * (long long)blockDim.x + threadIdx.x) * 8;
  if (start >= n) return;
  start = min(start, n - 8);
  float keep[8];
#pragma unroll
  for (int i = 0; i < 8; ++i) keep[i] = x[start + i];
#pragma unroll
  for (int i = 0; i < 8; ++i) y[start + i] = keep[i] > 0.f ? keep[i] : 0.f;
}

torch::Tensor forward(torch::Tensor x) {
  TORCH_CHECK(x.numel() >= 8, "too small");
  auto y = torch::empty_like(x);
  const auto n = x.numel();
  const int threads = 256;
  const auto work = (n + 7) / 8;
  relu_eight<<<(work + threads - 1) / threads, threads>>>(x.data_ptr<float>(), y.data_ptr<float>(), n);
  return y;
}
