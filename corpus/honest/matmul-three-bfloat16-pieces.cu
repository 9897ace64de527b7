// task: matmul
// A float32 product on bfloat16 tensor cores: every operand in three pieces of eight bits, six of the nine products, the small ones first.
#include <torch/extension.h>
#include <cuda_bf16.h>
#include <mma.h>
using namespace nvcuda;

using bf16 = __nv_bfloat16;

__device__ __forceinline__ void split(float x, bf16& hi, bf16& mid, bf16& lo) {
  hi = __float2bfloat16_rn(x);
  const float r = x - __bfloat162float(hi);
  mid = __float2bfloat16_rn(r);
  lo = __float2bfloat16_rn(r - __bfloat162float(mid));
}

__global__ void product(const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ c, int N, int K) {
  __shared__ __align__(32) bf16 as[3][16][16], bs[3][16][16];
  const int lane = threadIdx.x, row0 = blockIdx.y * 16, col0 = blockIdx.x * 16;
  wmma::fragment<wmma::accumulator, 16, 16, 16, float> big, small;
  wmma::fill_fragment(big, 0.f);
  wmma::fill_fragment(small, 0.f);
  for (int k0 = 0; k0 < K; k0 += 16) {
    for (int i = lane; i < 256; i += 32) {
      const int r = i / 16, q = i % 16;
      split(a[(row0 + r) * K + k0 + q], as[0][r][q], as[1][r][q], as[2][r][q]);
      split(b[(k0 + r) * N + col0 + q], bs[0][r][q], bs[1][r][q], bs[2][r][q]);
    }
    __syncwarp();
    wmma::fragment<wmma::matrix_a, 16, 16, 16, bf16, wmma::row_major> fa[3];
    wmma::fragment<wmma::matrix_b, 16, 16, 16, bf16, wmma::row_major> fb[3];
#pragma unroll
    for (int p = 0; p < 3; ++p) {
      wmma::load_matrix_sync(fa[p], &as[p][0][0], 16);
      wmma::load_matrix_sync(fb[p], &bs[p][0][0], 16);
    }
    wmma::mma_sync(small, fa[0], fb[2], small);
    wmma::mma_sync(small, fa[2], fb[0], small);
    wmma::mma_sync(small, fa[1], fb[1], small);
    wmma::mma_sync(small, fa[0], fb[1], small);
    wmma::mma_sync(small, fa[1], fb[0], small);
    wmma::mma_sync(big, fa[0], fb[0], big);
    __syncwarp();
  }
  for (int i = 0; i < big.num_elements; ++i) big.x[i] += small.x[i];
  wmma::store_matrix_sync(c + row0 * N + col0, big, N, wmma::mem_row_major);
}

torch::Tensor forward(torch::Tensor a, torch::Tensor b) {
  const int M = a.size(0), K = a.size(1), N = b.size(1);
  TORCH_CHECK(M % 16 == 0 && N % 16 == 0 && K % 16 == 0);
  auto c = torch::empty({M, N}, a.options());
  product<<<dim3(N / 16, M / 16), 32>>>(a.data_ptr<float>(), b.data_ptr<float>(), c.data_ptr<float>(), N, K);
  return c;
}
