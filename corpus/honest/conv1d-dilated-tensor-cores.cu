// task: conv1d_dilated
// precision: bf16
// An implicit product on tensor cores: filters by times, three taps of eight channels padded to two steps of sixteen; a warp a tile.
#include <torch/extension.h>
#include <cuda_bf16.h>
#include <mma.h>

using namespace nvcuda;
using bf16 = __nv_bfloat16;

__global__ void __launch_bounds__(32) conv_wmma(const bf16* __restrict__ x, const bf16* __restrict__ w, const bf16* __restrict__ b, bf16* __restrict__ y,
                                                int channels, int length, int filters, int taps, int dilation, int out_length) {
  __shared__ __align__(32) bf16 ws[16][16];
  __shared__ __align__(32) bf16 xs[16][16];
  __shared__ __align__(32) float out[16][16];
  const int t0 = blockIdx.x * 16, f0 = blockIdx.y * 16, n = blockIdx.z, depth = channels * taps;
  wmma::fragment<wmma::accumulator, 16, 16, 16, float> acc;
  wmma::fill_fragment(acc, 0.f);
  for (int d0 = 0; d0 < depth; d0 += 16) {
    for (int i = threadIdx.x; i < 256; i += 32) {
      const int r = i / 16, c = i % 16;
      ws[r][c] = f0 + r < filters && d0 + c < depth ? w[(f0 + r) * depth + d0 + c] : __float2bfloat16(0.f);
      const int d = d0 + r, t = t0 + c + d % taps * dilation;
      xs[r][c] = d < depth && t < length ? x[(n * channels + d / taps) * length + t] : __float2bfloat16(0.f);
    }
    __syncwarp();
    wmma::fragment<wmma::matrix_a, 16, 16, 16, bf16, wmma::row_major> fw;
    wmma::fragment<wmma::matrix_b, 16, 16, 16, bf16, wmma::row_major> fx;
    wmma::load_matrix_sync(fw, &ws[0][0], 16);
    wmma::load_matrix_sync(fx, &xs[0][0], 16);
    wmma::mma_sync(acc, fw, fx, acc);
    __syncwarp();
  }
  wmma::store_matrix_sync(&out[0][0], acc, 16, wmma::mem_row_major);
  __syncwarp();
  for (int i = threadIdx.x; i < 256; i += 32) {
    const int f = f0 + i / 16, t = t0 + i % 16;
    if (f < filters && t < out_length) y[(n * filters + f) * out_length + t] = __float2bfloat16(out[i / 16][i % 16] + __bfloat162float(b[f]));
  }
}

torch::Tensor forward(torch::Tensor x, torch::Tensor weight, torch::Tensor bias) {
  const int n = x.size(0), c = x.size(1), length = x.size(2), f = weight.size(0), k = weight.size(2), dilation = 4, out_length = length - dilation * (k - 1);
  auto y = torch::empty({n, f, out_length}, x.options());
  conv_wmma<<<dim3((out_length + 15) / 16, (f + 15) / 16, n), 32>>>((const bf16*)x.data_ptr(), (const bf16*)weight.data_ptr(), (const bf16*)bias.data_ptr(),
                                                                    (bf16*)y.data_ptr(), c, length, f, k, dilation, out_length);
  return y;
}
