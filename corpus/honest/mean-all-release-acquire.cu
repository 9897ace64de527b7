// task: mean_all
// The last block adds, ordered by one acquire-release addition at GPU scope instead of fences.
#include <torch/extension.h>
#include <cuda/atomic>
__global__ void mean(const float* __restrict__ x, float* partial, int* done, float* __restrict__ y, int n) {
  __shared__ bool last;
  float s = 0.f;
  for (int i = blockIdx.x * 32 + threadIdx.x; i < n; i += gridDim.x * 32) s += x[i];
  for (int o = 16; o; o >>= 1) s += __shfl_down_sync(~0u, s, o);
  if (threadIdx.x == 0) {
    partial[blockIdx.x] = s;
    cuda::atomic_ref<int, cuda::thread_scope_device> counter(*done);
    last = counter.fetch_add(1, cuda::memory_order_acq_rel) == int(gridDim.x) - 1;
  }
  __syncthreads();
  if (!last || threadIdx.x != 0) return;
  float total = 0.f;
  for (int b = 0; b < gridDim.x; ++b) total += partial[b];
  *y = total / n;
}
torch::Tensor forward(torch::Tensor x) {
  const int blocks = 64;
  auto y = torch::empty({}, x.options()), partial = torch::empty({blocks}, x.options());
  auto done = torch::zeros({1}, x.options().dtype(torch::kInt));
  mean<<<blocks, 32>>>(x.data_ptr<float>(), partial.data_ptr<float>(), done.data_ptr<int>(), y.data_ptr<float>(), x.numel());
  return y;
}
