// task: gelu_bias
// A functor that is itself a template, passed to a generic elementwise kernel.
#include <torch/extension.h>
#include <ATen/cuda/CUDAContext.h>

template <typename T>
struct BiasGelu {
  int features;
  __device__ __forceinline__ T operator()(T value, const T* bias, int64_t i) const {
    const T v = value + __ldg(bias + i % features);
    return v * T(0.5) * (T(1) + erf(v * T(0.70710678118654752440)));
  }
};

template <typename T, typename Op>
__global__ void elementwise(const T* __restrict__ in, const T* __restrict__ extra, T* __restrict__ out, size_t n, Op op) {
  const size_t stride = static_cast<size_t>(blockDim.x) * gridDim.x;
  for (size_t i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += stride) out[i] = op(in[i], extra, i);
}

torch::Tensor bias_gelu(torch::Tensor input, torch::Tensor bias, bool inplace = false) {
  TORCH_CHECK(!inplace, "in-place is not supported for a tensor of ", input.sizes());
  auto output = torch::empty(input.sizes(), input.options());
  const auto n = input.numel();
  constexpr int kThreads = 128;
  const int blocks = std::min<int>((n + kThreads - 1) / kThreads, 65535);
  auto stream = at::cuda::getCurrentCUDAStream();
  AT_DISPATCH_FLOATING_TYPES(input.scalar_type(), "bias_gelu", ([&] {
    const BiasGelu<scalar_t> op{static_cast<int>(bias.numel())};
    elementwise<scalar_t, BiasGelu<scalar_t>><<<blocks, kThreads, 0, stream>>>(
        input.data_ptr<scalar_t>(), bias.data_ptr<scalar_t>(), output.data_ptr<scalar_t>(), n, op);
  }));
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  return output;
}

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {
  m.def("forward", &bias_gelu, "bias and GELU (CUDA)", py::arg("input"), py::arg("bias"), py::arg("inplace") = false);
}
