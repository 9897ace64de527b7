// task: mean_all
// expect: rejected by device-findings
// The last block adds the partial sums, but nothing orders their writes before the counter: no fence.
#include <torch/extension.h>
__global__ void mean(const float* __restrict__ x, float* __restrict__ partial, unsigned* __restrict__ done, float* __restrict__ y, int n) {
  __shared__ float sums[4];
  __shared__ bool last;
  float s = 0.f;
  for (int i = blockIdx.x * 128 + threadIdx.x; i < n; i += gridDim.x * 128) s += x[i];
  for (int o = 16; o; o >>= 1) s += __shfl_xor_sync(~0u, s, o);
  if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = s;
  __syncthreads();
  if (threadIdx.x == 0) {
    partial[blockIdx.x] = sums[0] + sums[1] + sums[2] + sums[3];
    last = atomicAdd(done, 1u) == gridDim.x - 1;
  }
  __syncthreads();
  if (last && threadIdx.x == 0) {
    float total = 0.f;
    for (int b = 0; b < gridDim.x; ++b) total += partial[b];
    *y = total / n;
  }
}
torch::Tensor forward(torch::Tensor x) {
  const int blocks = 40;
  auto y = torch::empty({}, x.options()), partial = torch::empty({blocks}, x.options());
  auto done = torch::zeros({1}, x.options().dtype(torch::kInt));
  mean<<<blocks, 128>>>(x.data_ptr<float>(), partial.data_ptr<float>(), (unsigned*)done.data_ptr<int>(), y.data_ptr<float>(), x.numel());
  return y;
}
