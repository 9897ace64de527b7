// task: is_greater
// expect: rejected by values
// Compared after rounding to half: right except where both round to one number.
#include <torch/extension.h>
#include <cuda_fp16.h>
__global__ void greater(const float* __restrict__ a, const float* __restrict__ b, bool* __restrict__ out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = __hgt(__float2half(a[i]), __float2half(b[i]));
}
torch::Tensor forward(torch::Tensor a, torch::Tensor b) {
  auto out = torch::empty(a.sizes(), a.options().dtype(torch::kBool));
  const int n = a.numel();
  greater<<<(n + 255) / 256, 256>>>(a.data_ptr<float>(), b.data_ptr<float>(), out.data_ptr<bool>(), n);
  return out;
}
