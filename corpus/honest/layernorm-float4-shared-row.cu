// task: layernorm
// scale: 100000
// float4 when the width and the pointers allow it, scalars otherwise: one template, the row kept in dynamic shared memory.
#include <torch/extension.h>
#include <ATen/cuda/CUDAContext.h>

template <int N> struct VecT;
template <> struct VecT<1> { using type = float; };
template <> struct VecT<4> { using type = float4; };

__device__ __forceinline__ float BlockAllReduceSum(float v) {
  __shared__ float warp_results[32];
  __shared__ float result;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  for (int mask = 16; mask > 0; mask /= 2) v += __shfl_xor_sync(0xffffffff, v, mask);
  if (lane == 0) warp_results[warp] = v;
  __syncthreads();
  if (warp == 0) {
    v = lane < blockDim.x / 32 ? warp_results[lane] : 0.0f;
    for (int mask = 16; mask > 0; mask /= 2) v += __shfl_xor_sync(0xffffffff, v, mask);
    if (lane == 0) result = v;
  }
  __syncthreads();
  return result;
}

template <int N>
__global__ void LayerNormBlock(const float* __restrict__ x, const float* __restrict__ gamma, const float* __restrict__ beta,
                               float* __restrict__ y, const int cols, const float eps) {
  using V = typename VecT<N>::type;
  extern __shared__ __align__(16) unsigned char raw[];
  V* buf = reinterpret_cast<V*>(raw);
  const V* row = reinterpret_cast<const V*>(x + static_cast<int64_t>(blockIdx.x) * cols);
  V* out = reinterpret_cast<V*>(y + static_cast<int64_t>(blockIdx.x) * cols);
  const int packs = cols / N;
  float sum = 0.0f;
  for (int p = threadIdx.x; p < packs; p += blockDim.x) {
    const V v = row[p];
    buf[p] = v;
    const float* f = reinterpret_cast<const float*>(&v);
#pragma unroll
    for (int k = 0; k < N; ++k) sum += f[k];
  }
  const float mean = BlockAllReduceSum(sum) / cols;
  float sq = 0.0f;
  for (int p = threadIdx.x; p < packs; p += blockDim.x) {
    const V v = buf[p];
    const float* f = reinterpret_cast<const float*>(&v);
#pragma unroll
    for (int k = 0; k < N; ++k) sq += (f[k] - mean) * (f[k] - mean);
  }
  __syncthreads();  // the reduction's arrays are used again
  const float rstd = rsqrtf(BlockAllReduceSum(sq) / cols + eps);
  for (int p = threadIdx.x; p < packs; p += blockDim.x) {
    V v = buf[p], g = reinterpret_cast<const V*>(gamma)[p], b = reinterpret_cast<const V*>(beta)[p];
    float *fv = reinterpret_cast<float*>(&v), *fg = reinterpret_cast<float*>(&g), *fb = reinterpret_cast<float*>(&b);
#pragma unroll
    for (int k = 0; k < N; ++k) fv[k] = (fv[k] - mean) * rstd * fg[k] + fb[k];
    out[p] = v;
  }
}

torch::Tensor forward(torch::Tensor x, torch::Tensor weight, torch::Tensor bias, double eps) {
  const int rows = x.size(0), cols = x.size(1);
  auto y = torch::empty_like(x);
  const float *px = x.data_ptr<float>(), *pw = weight.data_ptr<float>(), *pb = bias.data_ptr<float>();
  float* py = y.data_ptr<float>();
  auto stream = at::cuda::getCurrentCUDAStream();
  auto ok = [](const void* p) { return reinterpret_cast<std::uintptr_t>(p) % sizeof(float4) == 0; };
  const size_t smem = cols * sizeof(float);
  if (cols % 4 == 0 && ok(px) && ok(pw) && ok(pb) && ok(py)) {
    LayerNormBlock<4><<<rows, 128, smem, stream>>>(px, pw, pb, py, cols, static_cast<float>(eps));
  } else {
    LayerNormBlock<1><<<rows, 256, smem, stream>>>(px, pw, pb, py, cols, static_cast<float>(eps));
  }
  return y;
}
