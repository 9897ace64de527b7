// task: softmax
// PyTorch's extension tutorial style: packed_accessor32 arguments under AT_DISPATCH_FLOATING_TYPES.
#include <torch/extension.h>
#include <vector>

#define CHECK_CUDA(x) TORCH_CHECK(x.device().is_cuda(), #x " must be a CUDA tensor")
#define CHECK_CONTIGUOUS(x) TORCH_CHECK(x.is_contiguous(), #x " must be contiguous")
#define CHECK_INPUT(x) \
  CHECK_CUDA(x);       \
  CHECK_CONTIGUOUS(x)

template <typename scalar_t>
__global__ void softmax_kernel(const torch::PackedTensorAccessor32<scalar_t, 2, torch::RestrictPtrTraits> x,
                               torch::PackedTensorAccessor32<scalar_t, 2, torch::RestrictPtrTraits> y) {
  const int row = blockIdx.x;
  __shared__ scalar_t partial[256];
  const int t = threadIdx.x;
  scalar_t most = x[row][0];
  for (int c = t; c < x.size(1); c += blockDim.x) most = x[row][c] > most ? x[row][c] : most;
  partial[t] = most;
  __syncthreads();
  for (int s = blockDim.x / 2; s > 0; s /= 2) {
    if (t < s && partial[t + s] > partial[t]) partial[t] = partial[t + s];
    __syncthreads();
  }
  most = partial[0];
  __syncthreads();
  scalar_t sum = 0;
  for (int c = t; c < x.size(1); c += blockDim.x) sum += exp(x[row][c] - most);
  partial[t] = sum;
  __syncthreads();
  for (int s = blockDim.x / 2; s > 0; s /= 2) {
    if (t < s) partial[t] += partial[t + s];
    __syncthreads();
  }
  for (int c = t; c < y.size(1); c += blockDim.x) y[row][c] = exp(x[row][c] - most) / partial[0];
}

std::vector<torch::Tensor> softmax_cuda_forward(torch::Tensor x) {
  CHECK_INPUT(x);
  auto y = torch::zeros_like(x);
  AT_DISPATCH_FLOATING_TYPES(x.type(), "softmax_forward_cuda", ([&] {
    softmax_kernel<scalar_t><<<x.size(0), 256>>>(x.packed_accessor32<scalar_t, 2, torch::RestrictPtrTraits>(),
                                                 y.packed_accessor32<scalar_t, 2, torch::RestrictPtrTraits>());
  }));
  return {y};
}

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) { m.def("forward", &softmax_cuda_forward, "softmax forward (CUDA)"); }
