// task: tanh_only
// A functor over pairs in a kernel template; the odd tail exists only where a template parameter says so.
#include <torch/extension.h>
template <bool ODD_TAIL, typename F>
__global__ void map(F f, const float2* __restrict__ x, float2* __restrict__ y, int pairs, int n) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < pairs; i += gridDim.x * blockDim.x) {
    const float2 v = __ldcg(x + i);
    y[i] = float2{f(v.x), f(v.y)};
  }
  if constexpr (ODD_TAIL) {
    if (blockIdx.x == 0 && threadIdx.x == 0) reinterpret_cast<float*>(y)[n - 1] = f(reinterpret_cast<const float*>(x)[n - 1]);
  }
}
struct Tanh {
  __device__ float operator()(float v) const { return tanhf(v); }
};
torch::Tensor forward(torch::Tensor x) {
  auto y = torch::empty_like(x);
  const int n = x.numel();
  const auto* from = reinterpret_cast<const float2*>(x.const_data_ptr<float>());
  auto* to = reinterpret_cast<float2*>(y.mutable_data_ptr<float>());
  if (n % 2) map<true><<<64, 128>>>(Tanh{}, from, to, n / 2, n);
  else map<false><<<64, 128>>>(Tanh{}, from, to, n / 2, n);
  return y;
}
