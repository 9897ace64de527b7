// task: row_sum
// expect: rejected by device-findings
// The last steps of the tree without a barrier, on volatile shared memory, as was done before warps' threads could part.
#include <torch/extension.h>

__device__ void last_warp(volatile float* s, int t) {
  s[t] += s[t + 32];
  s[t] += s[t + 16];
  s[t] += s[t + 8];
  s[t] += s[t + 4];
  s[t] += s[t + 2];
  s[t] += s[t + 1];
}

__global__ void rows(const float* __restrict__ x, float* __restrict__ y, int cols) {
  __shared__ float s[256];
  const int t = threadIdx.x;
  float v = 0.f;
  for (int i = t; i < cols; i += 256) v += x[(size_t)blockIdx.x * cols + i];
  s[t] = v;
  __syncthreads();
  if (t < 128) s[t] += s[t + 128];
  __syncthreads();
  if (t < 64) s[t] += s[t + 64];
  __syncthreads();
  if (t < 32) last_warp(s, t);
  if (t == 0) y[blockIdx.x] = s[0];
}

torch::Tensor forward(torch::Tensor x) {
  auto y = torch::empty({x.size(0)}, x.options());
  rows<<<x.size(0), 256>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
  return y;
}
