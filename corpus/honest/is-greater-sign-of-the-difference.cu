// task: is_greater
// a - b > 0 is a > b: with gradual underflow a difference of unequal numbers is never zero.
#include <torch/extension.h>
__global__ void greater(const float* __restrict__ a, const float* __restrict__ b, unsigned char* __restrict__ out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = __fsub_rn(a[i], b[i]) > 0.f;
}
torch::Tensor forward(torch::Tensor a, torch::Tensor b) {
  auto out = torch::empty_like(a, torch::TensorOptions().dtype(torch::kBool));
  const int n = a.numel();
  greater<<<(n + 255) / 256, 256>>>(a.data_ptr<float>(), b.data_ptr<float>(), reinterpret_cast<unsigned char*>(out.data_ptr<bool>()), n);
  return out;
}
