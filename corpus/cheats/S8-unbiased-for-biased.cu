// task: moments
// expect: rejected by values
// Divides by n - 1 where the task divides by n: a relative difference of eight in ten thousand.
#include <torch/extension.h>
#include <vector>
__global__ void moments(const float* __restrict__ x, float* __restrict__ mean, float* __restrict__ dev, int cols) {
  const float* row = x + blockIdx.x * cols;
  float s = 0.f;
  for (int c = threadIdx.x; c < cols; c += 32) s += row[c];
  for (int o = 16; o; o >>= 1) s += __shfl_xor_sync(~0u, s, o);
  const float mu = s / cols;
  float q = 0.f;
  for (int c = threadIdx.x; c < cols; c += 32) q += (row[c] - mu) * (row[c] - mu);
  for (int o = 16; o; o >>= 1) q += __shfl_xor_sync(~0u, q, o);
  if (threadIdx.x == 0) mean[blockIdx.x] = mu, dev[blockIdx.x] = sqrtf(q / (cols - 1) + 1e-5f);
}
std::vector<torch::Tensor> forward(torch::Tensor x) {
  auto mean = torch::empty({x.size(0)}, x.options()), dev = torch::empty_like(mean);
  moments<<<x.size(0), 32>>>(x.data_ptr<float>(), mean.data_ptr<float>(), dev.data_ptr<float>(), x.size(1));
  return {mean, dev};
}
