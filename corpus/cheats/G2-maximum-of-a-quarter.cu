// task: softmax
// expect: rejected by values
// The maximum that is subtracted is that of the first quarter of the row: right until another element stands far above it.
#include <torch/extension.h>

__global__ void softmax(const float* __restrict__ x, float* __restrict__ y, int cols) {
  __shared__ float s[8];
  const int t = threadIdx.x, lane = t % 32, warp = t / 32;
  const float* p = x + (size_t)blockIdx.x * cols;
  float m = -INFINITY, sum = 0.f;
  for (int i = t; i < cols / 4; i += 256) m = fmaxf(m, p[i]);
  for (int d = 16; d > 0; d >>= 1) m = fmaxf(m, __shfl_xor_sync(~0u, m, d));
  if (lane == 0) s[warp] = m;
  __syncthreads();
  for (int i = 0; i < 8; ++i) m = fmaxf(m, s[i]);
  __syncthreads();
  for (int i = t; i < cols; i += 256) sum += expf(p[i] - m);
  for (int d = 16; d > 0; d >>= 1) sum += __shfl_xor_sync(~0u, sum, d);
  if (lane == 0) s[warp] = sum;
  __syncthreads();
  sum = 0.f;
  for (int i = 0; i < 8; ++i) sum += s[i];
  for (int i = t; i < cols; i += 256) y[(size_t)blockIdx.x * cols + i] = expf(p[i] - m) / sum;
}

torch::Tensor forward(torch::Tensor x) {
  auto y = torch::empty_like(x);
  softmax<<<x.size(0), 256>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
  return y;
}
