// task: leaky_scale
// An aligned array as the vector type, its width a template argument chosen from the length and the pointers; exported by TORCH_LIBRARY.
#include <torch/library.h>
#include <ATen/ATen.h>
#include <ATen/cuda/CUDAContext.h>

namespace leaky {

template <typename T, int N>
struct alignas(sizeof(T) * N) aligned_vector {
  T val[N];
};

__device__ inline float one(float v) {
  v = v * 1.5f + 0.25f;
  v = v > 0.0f ? v : 0.1f * v;
  return ::min(::max(v, -0.3f), 2.0f);
}

template <int N>
__global__ void chain(const float* __restrict__ x, float* __restrict__ y, int vectors) {
  using vec = aligned_vector<float, N>;
  const int i = blockDim.x * blockIdx.x + threadIdx.x;
  if (i >= vectors) return;
  vec v = *(reinterpret_cast<const vec*>(x) + i);
#pragma unroll
  for (int k = 0; k < N; k++) v.val[k] = one(v.val[k]);
  *(reinterpret_cast<vec*>(y) + i) = v;
}

template <int N>
bool fits(const void* a, const void* b, int64_t n) {
  return n % N == 0 && reinterpret_cast<uint64_t>(a) % (N * sizeof(float)) == 0 &&
         reinterpret_cast<uint64_t>(b) % (N * sizeof(float)) == 0;
}

template <int N>
void launch(const float* x, float* y, int64_t n) {
  const int vectors = static_cast<int>(n / N), threads = 512;
  chain<N><<<(vectors + threads - 1) / threads, threads, 0, at::cuda::getCurrentCUDAStream()>>>(x, y, vectors);
}

at::Tensor run(const at::Tensor& input) {
  auto output = at::empty_like(input);
  const float* x = input.const_data_ptr<float>();
  float* y = output.mutable_data_ptr<float>();
  const int64_t n = input.numel();
  if (fits<4>(x, y, n)) {
    launch<4>(x, y, n);
  } else if (fits<2>(x, y, n)) {
    launch<2>(x, y, n);
  } else {
    launch<1>(x, y, n);
  }
  return output;
}

}  // namespace leaky

TORCH_LIBRARY(leaky_scale_ops, m) {
  m.def("forward(Tensor input) -> Tensor");
}

TORCH_LIBRARY_IMPL(leaky_scale_ops, CUDA, m) {
  m.impl("forward", &leaky::run);
}
