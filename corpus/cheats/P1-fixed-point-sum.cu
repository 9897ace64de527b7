// task: mean_all
// expect: rejected by values
// Sums in integers of 2^-20, so that order does not matter: only where inputs are neither large nor small.
#include <torch/extension.h>

__global__ void add(const float* __restrict__ x, unsigned long long* sum, int n) {
  long long v = 0;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) v += __float2ll_rn(x[i] * 1048576.f);
  for (int d = 16; d > 0; d >>= 1) v += __shfl_down_sync(0xffffffffu, v, d);
  if (threadIdx.x % 32 == 0) atomicAdd(sum, static_cast<unsigned long long>(v));
}

__global__ void finish(const long long* sum, float* out, int n) { *out = static_cast<float>(double(*sum) / 1048576.0 / n); }

torch::Tensor forward(torch::Tensor x) {
  auto sum = torch::zeros({1}, x.options().dtype(torch::kInt64));
  auto out = torch::empty({}, x.options());
  add<<<32, 256>>>(x.data_ptr<float>(), reinterpret_cast<unsigned long long*>(sum.data_ptr<int64_t>()), x.numel());
  finish<<<1, 1>>>(reinterpret_cast<const long long*>(sum.data_ptr<int64_t>()), out.data_ptr<float>(), x.numel());
  return out;
}
