// task: relu
// direction: backward
// The gradient where the input was positive.
#include <torch/extension.h>

template <typename T>
__global__ void relu_backward_kernel(const T* __restrict__ grad, const T* __restrict__ x, T* __restrict__ out, int64_t n) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < n) out[i] = x[i] > T(0) ? grad[i] : T(0);
}

torch::Tensor backward(torch::Tensor grad_output, torch::Tensor x) {
  TORCH_CHECK(grad_output.sizes() == x.sizes(), "gradient and input differ in shape");
  auto grad_input = torch::empty_like(x);
  const int64_t n = x.numel();
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "relu_backward", [&] {
    relu_backward_kernel<scalar_t><<<(n + 511) / 512, 512>>>(grad_output.data_ptr<scalar_t>(), x.data_ptr<scalar_t>(), grad_input.data_ptr<scalar_t>(), n);
  });
  return grad_input;
}
