// task: swiglu
// Registered with TORCH_LIBRARY and TORCH_LIBRARY_IMPL; namespaces, float4 by __ldg, the kernel chosen at run time and launched through a lambda.
#include <torch/extension.h>
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAGuard.h>

namespace ops {
namespace detail {

__device__ __forceinline__ float silu(float v) { return v / (1.0f + __expf(-v)); }

template <int V>
struct Pack;
template <>
struct Pack<1> {
  using type = float;
};
template <>
struct Pack<4> {
  using type = float4;
};

template <int V>
__global__ void __launch_bounds__(256)
    swiglu(const float* __restrict__ x, float* __restrict__ y, int rows, int half) {
  using pack_t = typename Pack<V>::type;
  const int packs = half / V;
  const int64_t total = static_cast<int64_t>(rows) * packs;
  for (int64_t i = blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x; i < total;
       i += static_cast<int64_t>(gridDim.x) * blockDim.x) {
    const int64_t row = i / packs;
    const int column = static_cast<int>(i % packs) * V;
    const float* gate = x + row * 2 * half + column;
    pack_t g = __ldg(reinterpret_cast<const pack_t*>(gate));
    pack_t v = __ldg(reinterpret_cast<const pack_t*>(gate + half));
    pack_t out;
#pragma unroll
    for (int k = 0; k < V; ++k) {
      reinterpret_cast<float*>(&out)[k] = silu(reinterpret_cast<float*>(&g)[k]) * reinterpret_cast<float*>(&v)[k];
    }
    *reinterpret_cast<pack_t*>(y + row * half + column) = out;
  }
}

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace detail

at::Tensor swiglu_forward(const at::Tensor& input) {
  TORCH_CHECK(input.dim() == 2, "expected 2-D, got ", input.dim());
  TORCH_CHECK(input.scalar_type() == at::kFloat, "expected float32, got ", input.scalar_type());
  c10::cuda::CUDAGuard guard(input.device());
  const auto x = input.contiguous();
  const int64_t rows = x.size(0), half = x.size(1) / 2;
  at::Tensor y = at::empty({rows, half}, x.options());
  const bool wide = half % 4 == 0;
  const dim3 block(256), grid(std::min<int64_t>(detail::ceil_div(rows * half / (wide ? 4 : 1), block.x), 4096));
  cudaStream_t stream = at::cuda::getCurrentCUDAStream().stream();
  const auto launch = [&](auto kernel) {
    kernel<<<grid, block, 0, stream>>>(x.const_data_ptr<float>(), y.mutable_data_ptr<float>(), (int)rows, (int)half);
  };
  if (wide) {
    launch(detail::swiglu<4>);
  } else {
    launch(detail::swiglu<1>);
  }
  AT_CUDA_CHECK(cudaGetLastError());
  return y;
}

}  // namespace ops

TORCH_LIBRARY(ops, m) { m.def("forward(Tensor x) -> Tensor"); }

TORCH_LIBRARY_IMPL(ops, CUDA, m) { m.impl("forward", TORCH_FN(ops::swiglu_forward)); }
