// task: log_softmax
// expect: rejected by device-findings
// The eight words that passed on the maximum are overwritten with sums while slower warps may still read them.
#include <torch/extension.h>

__global__ void rows(const float* __restrict__ x, float* __restrict__ y, int cols) {
  __shared__ float s[8];
  const float* p = x + blockIdx.x * cols;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  float m = -INFINITY;
  for (int i = threadIdx.x; i < cols; i += 256) m = fmaxf(m, p[i]);
  for (int o = 16; o; o >>= 1) m = fmaxf(m, __shfl_xor_sync(~0u, m, o));
  if (lane == 0) s[warp] = m;
  __syncthreads();
  for (int i = 0; i < 8; ++i) m = fmaxf(m, s[i]);
  float sum = 0.f;
  for (int i = threadIdx.x; i < cols; i += 256) sum += expf(p[i] - m);
  for (int o = 16; o; o >>= 1) sum += __shfl_xor_sync(~0u, sum, o);
  if (lane == 0) s[warp] = sum;
  __syncthreads();
  sum = 0.f;
  for (int i = 0; i < 8; ++i) sum += s[i];
  const float log_sum = logf(sum);
  for (int i = threadIdx.x; i < cols; i += 256) y[blockIdx.x * cols + i] = p[i] - m - log_sum;
}

torch::Tensor forward(torch::Tensor x) {
  auto y = torch::empty_like(x);
  rows<<<x.size(0), 256>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
  return y;
}
