// task: softmax
// scale: 100000
// flash-attention's BOOL_SWITCH for even widths, exponentials in base two by inline PTX, streaming stores.
#include <torch/extension.h>
#include <c10/cuda/CUDAStream.h>

#define BOOL_SWITCH(COND, CONST_NAME, ...)      \
  [&] {                                         \
    if (COND) {                                 \
      constexpr static bool CONST_NAME = true;  \
      return __VA_ARGS__();                     \
    } else {                                    \
      constexpr static bool CONST_NAME = false; \
      return __VA_ARGS__();                     \
    }                                           \
  }()

__device__ __forceinline__ float exp2_approx(float v) {
  float r;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(v));
  return r;
}

template <bool Is_even, int kWarps>
__global__ void __launch_bounds__(kWarps * 32) softmax_exp2(const float* __restrict__ x, float* __restrict__ y, const int rows, const int cols) {
  const int row = blockIdx.x * kWarps + threadIdx.y;
  if (row >= rows) return;
  constexpr float kLog2e = 1.4426950408889634f;
  const float* in = x + static_cast<int64_t>(row) * cols;
  float* out = y + static_cast<int64_t>(row) * cols;
  float m = -INFINITY;
  if constexpr (Is_even) {
    for (int c = 2 * threadIdx.x; c < cols; c += 64) {
      const float2 v = __ldg(reinterpret_cast<const float2*>(in + c));
      m = fmaxf(m, fmaxf(v.x, v.y));
    }
  } else {
    for (int c = threadIdx.x; c < cols; c += 32) m = fmaxf(m, __ldg(in + c));
  }
#pragma unroll
  for (int o = 16; o >= 1; o >>= 1) m = fmaxf(m, __shfl_xor_sync(0xffffffffu, m, o));
  float s = 0.0f;
  for (int c = threadIdx.x; c < cols; c += 32) s += exp2_approx((in[c] - m) * kLog2e);
#pragma unroll
  for (int o = 16; o >= 1; o >>= 1) s += __shfl_xor_sync(0xffffffffu, s, o);
  const float inv = 1.0f / s;
  for (int c = threadIdx.x; c < cols; c += 32) __stcs(out + c, exp2_approx((in[c] - m) * kLog2e) * inv);
}

at::Tensor softmax_fwd(const at::Tensor& x) {
  TORCH_CHECK(x.stride(-1) == 1, "the last dimension must be contiguous");
  auto y = at::empty_like(x);
  const int rows = x.size(0), cols = x.size(1);
  auto stream = c10::cuda::getCurrentCUDAStream().stream();
  BOOL_SWITCH(cols % 2 == 0, Is_even_k, [&] {
    auto kernel = &softmax_exp2<Is_even_k, 4>;
    kernel<<<(rows + 3) / 4, dim3(32, 4), 0, stream>>>(x.const_data_ptr<float>(), y.mutable_data_ptr<float>(), rows, cols);
  });
  return y;
}

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) { m.def("fwd", &softmax_fwd, "forward"); }
