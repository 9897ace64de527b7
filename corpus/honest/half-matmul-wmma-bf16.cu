// task: half_matmul
// precision: bf16
// wmma in bfloat16 from shared tiles, two tiles of 16 columns a warp; the accumulators leave through the same shared memory.
#include <torch/extension.h>
#include <cuda_bf16.h>
#include <mma.h>

namespace wmma = nvcuda::wmma;

constexpr int kM = 32, kN = 64, kK = 32, kSkew = 8;

__global__ void __launch_bounds__(128) gemm_bf16(const __nv_bfloat16* __restrict__ a, const __nv_bfloat16* __restrict__ b,
                                                 __nv_bfloat16* __restrict__ c, int m, int n, int k) {
  __shared__ union {
    struct {
      __nv_bfloat16 a[kM][kK + kSkew];
      __nv_bfloat16 b[kK][kN + kSkew];
    } in;
    float out[kM][kN + 4];
  } tile;
  const int m0 = blockIdx.y * kM, n0 = blockIdx.x * kN;
  const int warp = threadIdx.x / 32, wm = warp / 2 * 16, wn = warp % 2 * 32;
  wmma::fragment<wmma::accumulator, 16, 16, 16, float> acc[2];
  for (auto& f : acc) wmma::fill_fragment(f, 0.f);
  const __nv_bfloat16 zero = __float2bfloat16(0.f);
  for (int k0 = 0; k0 < k; k0 += kK) {
    for (int i = threadIdx.x; i < kM * kK; i += 128) {
      const int r = i / kK, x = i % kK;
      tile.in.a[r][x] = m0 + r < m && k0 + x < k ? a[(m0 + r) * k + k0 + x] : zero;
    }
    for (int i = threadIdx.x; i < kK * kN; i += 128) {
      const int x = i / kN, col = i % kN;
      tile.in.b[x][col] = k0 + x < k && n0 + col < n ? b[(k0 + x) * n + n0 + col] : zero;
    }
    __syncthreads();
    for (int x = 0; x < kK; x += 16) {
      wmma::fragment<wmma::matrix_a, 16, 16, 16, __nv_bfloat16, wmma::row_major> fa;
      wmma::load_matrix_sync(fa, &tile.in.a[wm][x], kK + kSkew);
      for (int j = 0; j < 2; ++j) {
        wmma::fragment<wmma::matrix_b, 16, 16, 16, __nv_bfloat16, wmma::row_major> fb;
        wmma::load_matrix_sync(fb, &tile.in.b[x][wn + 16 * j], kN + kSkew);
        wmma::mma_sync(acc[j], fa, fb, acc[j]);
      }
    }
    __syncthreads();
  }
  for (int j = 0; j < 2; ++j) wmma::store_matrix_sync(&tile.out[wm][wn + 16 * j], acc[j], kN + 4, wmma::mem_row_major);
  __syncthreads();
  for (int i = threadIdx.x; i < kM * kN; i += 128) {
    const int r = i / kN, col = i % kN;
    if (m0 + r < m && n0 + col < n) c[(m0 + r) * n + n0 + col] = __float2bfloat16(tile.out[r][col]);
  }
}

torch::Tensor forward(torch::Tensor a, torch::Tensor b) {
  const int m = a.size(0), k = a.size(1), n = b.size(1);
  auto c = torch::empty({m, n}, a.options());
  gemm_bf16<<<dim3((n + kN - 1) / kN, (m + kM - 1) / kM), 128>>>(
      reinterpret_cast<const __nv_bfloat16*>(a.data_ptr<at::BFloat16>()), reinterpret_cast<const __nv_bfloat16*>(b.data_ptr<at::BFloat16>()),
      reinterpret_cast<__nv_bfloat16*>(c.data_ptr<at::BFloat16>()), m, n, k);
  return c;
}
