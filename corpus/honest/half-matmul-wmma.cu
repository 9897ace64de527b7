// task: half_matmul
// precision: fp16
// The guide's wmma example: a warp a 16x16 tile straight from global memory, float accumulators, converted in shared memory on the way out.
#include <torch/extension.h>
#include <mma.h>
#include <cuda_fp16.h>
using namespace nvcuda;

#define WMMA_M 16
#define WMMA_N 16
#define WMMA_K 16

__global__ void wmma_gemm(const half* __restrict__ a, const half* __restrict__ b, half* __restrict__ c, int M, int N, int K) {
  __shared__ float stage[4][WMMA_M * WMMA_N];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int tiles_n = N / WMMA_N;
  const int tile = blockIdx.x * 4 + warp;
  if (tile >= tiles_n * (M / WMMA_M)) return;
  const int row = tile / tiles_n * WMMA_M, col = tile % tiles_n * WMMA_N;
  wmma::fragment<wmma::matrix_a, WMMA_M, WMMA_N, WMMA_K, half, wmma::row_major> a_frag;
  wmma::fragment<wmma::matrix_b, WMMA_M, WMMA_N, WMMA_K, half, wmma::row_major> b_frag;
  wmma::fragment<wmma::accumulator, WMMA_M, WMMA_N, WMMA_K, float> acc;
  wmma::fill_fragment(acc, 0.0f);
  for (int k = 0; k < K; k += WMMA_K) {
    wmma::load_matrix_sync(a_frag, a + row * K + k, K);
    wmma::load_matrix_sync(b_frag, b + k * N + col, N);
    wmma::mma_sync(acc, a_frag, b_frag, acc);
  }
  wmma::store_matrix_sync(stage[warp], acc, WMMA_N, wmma::mem_row_major);
  __syncwarp();
  for (int i = lane; i < WMMA_M * WMMA_N; i += 32) c[(row + i / WMMA_N) * N + col + i % WMMA_N] = __float2half(stage[warp][i]);
}

torch::Tensor forward(torch::Tensor a, torch::Tensor b) {
  TORCH_CHECK(a.scalar_type() == torch::kHalf && b.scalar_type() == torch::kHalf, "expected half");
  const int M = a.size(0), K = a.size(1), N = b.size(1);
  TORCH_CHECK(M % 16 == 0 && N % 16 == 0 && K % 16 == 0, "sizes must be multiples of 16");
  auto c = torch::empty({M, N}, a.options());
  const int tiles = (M / 16) * (N / 16);
  wmma_gemm<<<(tiles + 3) / 4, 128>>>(reinterpret_cast<const half*>(a.data_ptr<at::Half>()), reinterpret_cast<const half*>(b.data_ptr<at::Half>()),
                                      reinterpret_cast<half*>(c.data_ptr<at::Half>()), M, N, K);
  return c;
}
