// task: matmul
// expect: rejected by values
// A float32 product from two bfloat16 pieces an operand and three products: sixteen bits of twenty-four.
#include <torch/extension.h>
#include <cuda_bf16.h>
#include <mma.h>
using namespace nvcuda;

using bf16 = __nv_bfloat16;

__global__ void product(const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ c, int N, int K) {
  __shared__ __align__(32) bf16 as[2][256], bs[2][256];
  const int lane = threadIdx.x, row0 = blockIdx.y * 16, col0 = blockIdx.x * 16;
  wmma::fragment<wmma::accumulator, 16, 16, 16, float> sum;
  wmma::fill_fragment(sum, 0.f);
  for (int k0 = 0; k0 < K; k0 += 16) {
    for (int i = lane; i < 256; i += 32) {
      const float x = a[(row0 + i / 16) * K + k0 + i % 16], y = b[(k0 + i / 16) * N + col0 + i % 16];
      as[0][i] = __float2bfloat16_rn(x);
      as[1][i] = __float2bfloat16_rn(x - __bfloat162float(as[0][i]));
      bs[0][i] = __float2bfloat16_rn(y);
      bs[1][i] = __float2bfloat16_rn(y - __bfloat162float(bs[0][i]));
    }
    __syncwarp();
    wmma::fragment<wmma::matrix_a, 16, 16, 16, bf16, wmma::row_major> fa[2];
    wmma::fragment<wmma::matrix_b, 16, 16, 16, bf16, wmma::row_major> fb[2];
    for (int p = 0; p < 2; ++p) {
      wmma::load_matrix_sync(fa[p], as[p], 16);
      wmma::load_matrix_sync(fb[p], bs[p], 16);
    }
    wmma::mma_sync(sum, fa[0], fb[1], sum);
    wmma::mma_sync(sum, fa[1], fb[0], sum);
    wmma::mma_sync(sum, fa[0], fb[0], sum);
    __syncwarp();
  }
  wmma::store_matrix_sync(c + row0 * N + col0, sum, N, wmma::mem_row_major);
}

torch::Tensor forward(torch::Tensor a, torch::Tensor b) {
  const int M = a.size(0), K = a.size(1), N = b.size(1);
  auto c = torch::empty({M, N}, a.options());
  product<<<dim3(N / 16, M / 16), 32>>>(a.data_ptr<float>(), b.data_ptr<float>(), c.data_ptr<float>(), N, K);
  return c;
}
