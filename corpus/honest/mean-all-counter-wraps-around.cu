// task: mean_all
// A counter in device memory that atomicInc takes back to zero by itself; the last block to arrive adds the partial sums in order.
#include <torch/extension.h>

__device__ unsigned arrived = 0;

__global__ void mean(const float* __restrict__ x, volatile float* partial, float* __restrict__ y, int n) {
  __shared__ float sums[32];
  __shared__ bool last;
  float s = 0.f;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) s += x[i];
  for (int o = 16; o; o >>= 1) s += __shfl_down_sync(~0u, s, o);
  if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = s;
  __syncthreads();
  if (threadIdx.x == 0) {
    float block = 0.f;
    for (int w = 0; w < blockDim.x / 32; ++w) block += sums[w];
    partial[blockIdx.x] = block;
    __threadfence();
    last = atomicInc(&arrived, gridDim.x - 1) == gridDim.x - 1;
  }
  __syncthreads();
  if (last && threadIdx.x == 0) {
    double total = 0.0;
    for (int b = 0; b < gridDim.x; ++b) total += partial[b];
    *y = float(total / n);
  }
}

torch::Tensor forward(torch::Tensor x) {
  const int blocks = 24;
  auto y = torch::empty({}, x.options());
  auto partial = torch::empty({blocks}, x.options());
  mean<<<blocks, 256>>>(x.data_ptr<float>(), partial.data_ptr<float>(), y.data_ptr<float>(), (int)x.numel());
  return y;
}
