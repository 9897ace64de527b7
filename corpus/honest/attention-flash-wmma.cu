// task: attention
// precision: fp16
// FlashAttention on tensor cores: a warp 16 queries, probabilities rounded to half for the second product, exp2f with the scale folded in.
#include <torch/extension.h>
#include <cuda_fp16.h>
#include <mma.h>

using namespace nvcuda;

constexpr int kRows = 16, kDim = 16;

__global__ void __launch_bounds__(32) flash_fp16(const half* __restrict__ q, const half* __restrict__ k, const half* __restrict__ v, half* __restrict__ out,
                                                 int t, float scale_log2) {
  __shared__ __align__(32) float s[kRows * kRows];
  __shared__ __align__(32) half p[kRows * kRows];
  __shared__ __align__(32) float pv[kRows * kDim];
  const size_t base = (size_t)blockIdx.y * t * kDim;
  const int first = blockIdx.x * kRows, lane = threadIdx.x;
  wmma::fragment<wmma::matrix_a, 16, 16, 16, half, wmma::row_major> fq, fp;
  wmma::fragment<wmma::matrix_b, 16, 16, 16, half, wmma::col_major> fk;
  wmma::fragment<wmma::matrix_b, 16, 16, 16, half, wmma::row_major> fv;
  wmma::fragment<wmma::accumulator, 16, 16, 16, float> acc;
  wmma::load_matrix_sync(fq, q + base + first * kDim, kDim);
  // Two lanes a row: each has eight keys of a tile and eight columns of the output.
  const int row = lane / 2, part = lane % 2 * 8;
  float m = -INFINITY, l = 0.f, o[8] = {};
  for (int j0 = 0; j0 < t; j0 += kRows) {
    wmma::load_matrix_sync(fk, k + base + j0 * kDim, kDim);
    wmma::fill_fragment(acc, 0.f);
    wmma::mma_sync(acc, fq, fk, acc);
    wmma::store_matrix_sync(s, acc, kRows, wmma::mem_row_major);
    __syncwarp();
    float mine = -INFINITY;
#pragma unroll
    for (int i = 0; i < 8; ++i) mine = fmaxf(mine, s[row * kRows + part + i]);
    mine = fmaxf(mine, __shfl_xor_sync(0xffffffffu, mine, 1));
    const float now = fmaxf(m, mine * scale_log2);
    const float correction = exp2f(m - now);
    float sum = 0.f;
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const float e = exp2f(s[row * kRows + part + i] * scale_log2 - now);
      sum += e;
      p[row * kRows + part + i] = __float2half(e);
    }
    sum += __shfl_xor_sync(0xffffffffu, sum, 1);
    l = l * correction + sum;
    m = now;
    __syncwarp();
    wmma::load_matrix_sync(fp, p, kRows);
    wmma::load_matrix_sync(fv, v + base + j0 * kDim, kDim);
    wmma::fill_fragment(acc, 0.f);
    wmma::mma_sync(acc, fp, fv, acc);
    wmma::store_matrix_sync(pv, acc, kDim, wmma::mem_row_major);
    __syncwarp();
#pragma unroll
    for (int i = 0; i < 8; ++i) o[i] = o[i] * correction + pv[row * kDim + part + i];
    __syncwarp();
  }
#pragma unroll
  for (int i = 0; i < 8; ++i) out[base + (first + row) * kDim + part + i] = __float2half(o[i] / l);
}

torch::Tensor forward(torch::Tensor q, torch::Tensor k, torch::Tensor v) {
  const int heads = q.size(0), t = q.size(1);
  TORCH_CHECK(q.size(2) == kDim && t % kRows == 0, "heads of 16, lengths in multiples of 16");
  auto out = torch::empty_like(q);
  flash_fp16<<<dim3(t / kRows, heads), 32>>>(reinterpret_cast<const half*>(q.data_ptr<at::Half>()), reinterpret_cast<const half*>(k.data_ptr<at::Half>()),
                                             reinterpret_cast<const half*>(v.data_ptr<at::Half>()), reinterpret_cast<half*>(out.data_ptr<at::Half>()),
                                             t, 0.25f * 1.4426950408889634f);
  return out;
}
