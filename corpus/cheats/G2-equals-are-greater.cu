// task: is_greater
// expect: rejected by values
// Equal elements are called greater.
#include <torch/extension.h>
__global__ void greater(const float* __restrict__ a, const float* __restrict__ b, bool* __restrict__ out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = a[i] >= b[i];
}
torch::Tensor forward(torch::Tensor a, torch::Tensor b) {
  auto out = torch::empty(a.sizes(), a.options().dtype(torch::kBool));
  const int n = a.numel();
  greater<<<(n + 255) / 256, 256>>>(a.data_ptr<float>(), b.data_ptr<float>(), out.data_ptr<bool>(), n);
  return out;
}
