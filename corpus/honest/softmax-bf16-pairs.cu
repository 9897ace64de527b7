// task: softmax
// precision: bf16
// scale: 100000
// bfloat16 in pairs, one block a row with the row kept in registers of the block as float2; an odd last column by itself.
#include <torch/extension.h>
#include <cuda_bf16.h>

__device__ __forceinline__ float reduce_max(float v) {
#pragma unroll
  for (int o = 16; o > 0; o >>= 1) v = fmaxf(v, __shfl_xor_sync(0xffffffffu, v, o));
  return v;
}

__device__ __forceinline__ float reduce_sum(float v) {
#pragma unroll
  for (int o = 16; o > 0; o >>= 1) v += __shfl_xor_sync(0xffffffffu, v, o);
  return v;
}

__global__ void __launch_bounds__(128) softmax_bf16(const __nv_bfloat16* __restrict__ x, __nv_bfloat16* __restrict__ y, int columns) {
  __shared__ float part[4];
  const __nv_bfloat16* from = x + (size_t)blockIdx.x * columns;
  __nv_bfloat16* to = y + (size_t)blockIdx.x * columns;
  const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  const bool paired = (columns & 1) == 0;
  const int pairs = paired ? columns / 2 : 0;
  const __nv_bfloat162* from2 = reinterpret_cast<const __nv_bfloat162*>(from);
  float m = -INFINITY;
  for (int i = threadIdx.x; i < pairs; i += 128) {
    const float2 v = __bfloat1622float2(from2[i]);
    m = fmaxf(m, fmaxf(v.x, v.y));
  }
  for (int i = 2 * pairs + threadIdx.x; i < columns; i += 128) m = fmaxf(m, __bfloat162float(from[i]));
  m = reduce_max(m);
  if (lane == 0) part[warp] = m;
  __syncthreads();
  m = fmaxf(fmaxf(part[0], part[1]), fmaxf(part[2], part[3]));
  __syncthreads();
  float sum = 0.f;
  for (int i = threadIdx.x; i < pairs; i += 128) {
    const float2 v = __bfloat1622float2(from2[i]);
    sum += __expf(v.x - m) + __expf(v.y - m);
  }
  for (int i = 2 * pairs + threadIdx.x; i < columns; i += 128) sum += __expf(__bfloat162float(from[i]) - m);
  sum = reduce_sum(sum);
  if (lane == 0) part[warp] = sum;
  __syncthreads();
  sum = part[0] + part[1] + part[2] + part[3];
  const float inverse = 1.f / sum;
  for (int i = threadIdx.x; i < pairs; i += 128) {
    const float2 v = __bfloat1622float2(from2[i]);
    reinterpret_cast<__nv_bfloat162*>(to)[i] = __floats2bfloat162_rn(__expf(v.x - m) * inverse, __expf(v.y - m) * inverse);
  }
  for (int i = 2 * pairs + threadIdx.x; i < columns; i += 128) to[i] = __float2bfloat16(__expf(__bfloat162float(from[i]) - m) * inverse);
}

torch::Tensor forward(torch::Tensor x) {
  auto y = torch::empty_like(x);
  softmax_bf16<<<x.size(0), 128>>>(reinterpret_cast<const __nv_bfloat16*>(x.data_ptr<c10::BFloat16>()),
                                   reinterpret_cast<__nv_bfloat16*>(y.data_ptr<c10::BFloat16>()), x.size(1));
  return y;
}
