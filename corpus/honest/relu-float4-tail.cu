// task: relu
// float4 where the addresses allow it, decided at run time; the tail of up to three elements by the last threads of the same launch.
#include <torch/extension.h>
#include <ATen/cuda/CUDAContext.h>
#include <cstdint>

namespace {

__global__ void __launch_bounds__(128) relu_v4(const float* __restrict__ src, float* __restrict__ dst, unsigned n) {
  const unsigned vectors = n >> 2;
  const unsigned tid = blockIdx.x * blockDim.x + threadIdx.x;
  if (tid < vectors) {
    float4 v = reinterpret_cast<const float4*>(src)[tid];
    v.x = fmaxf(v.x, 0.0f);
    v.y = fmaxf(v.y, 0.0f);
    v.z = fmaxf(v.z, 0.0f);
    v.w = fmaxf(v.w, 0.0f);
    reinterpret_cast<float4*>(dst)[tid] = v;
  } else {
    const unsigned rest = (vectors << 2) + (tid - vectors);
    if (rest < n) dst[rest] = fmaxf(src[rest], 0.0f);
  }
}

__global__ void relu_v1(const float* __restrict__ src, float* __restrict__ dst, unsigned n) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) dst[i] = fmaxf(src[i], 0.0f);
}

bool aligned16(const void* p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; }

}  // namespace

torch::Tensor forward(torch::Tensor x) {
  TORCH_CHECK(x.is_cuda() && x.is_contiguous(), "x must be a contiguous CUDA tensor");
  TORCH_CHECK(x.numel() < (1LL << 31), "too many elements");
  auto y = torch::empty_like(x);
  const unsigned n = static_cast<unsigned>(x.numel());
  const float* src = x.data_ptr<float>();
  float* dst = y.data_ptr<float>();
  const auto stream = at::cuda::getCurrentCUDAStream();
  if (aligned16(src) && aligned16(dst)) {
    const unsigned threads = n / 4 + n % 4;
    relu_v4<<<(threads + 127) / 128, 128, 0, stream>>>(src, dst, n);
  } else {
    relu_v1<<<(n + 127) / 128, 128, 0, stream>>>(src, dst, n);
  }
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  return y;
}
