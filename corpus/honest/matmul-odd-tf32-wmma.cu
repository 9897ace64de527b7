// task: matmul_odd
// precision: tf32
// Tensor cores in TF32 through nvcuda::wmma: 16x16x8, tiles in shared memory padded with zeros, results through shared memory for the ragged edge.
#include <torch/extension.h>
#include <mma.h>
using namespace nvcuda;

constexpr int TILE = 32, DEPTH = 8, PAD = 4;

__global__ void __launch_bounds__(128) gemm_tf32(const float* __restrict__ A, const float* __restrict__ B, float* __restrict__ C, int M, int N, int K) {
  __shared__ __align__(32) float As[TILE][DEPTH + PAD];
  __shared__ __align__(32) float Bs[DEPTH][TILE + PAD];
  __shared__ __align__(32) float Cs[TILE][TILE + PAD];
  const int warp = threadIdx.x / 32;
  const int wr = (warp / 2) * 16, wc = (warp % 2) * 16;
  const int row0 = blockIdx.y * TILE, col0 = blockIdx.x * TILE;
  wmma::fragment<wmma::accumulator, 16, 16, 8, float> acc;
  wmma::fill_fragment(acc, 0.0f);
  for (int k0 = 0; k0 < K; k0 += DEPTH) {
    for (int i = threadIdx.x; i < TILE * DEPTH; i += blockDim.x) {
      int r = i / DEPTH, k = i % DEPTH;
      As[r][k] = row0 + r < M && k0 + k < K ? wmma::__float_to_tf32(A[(row0 + r) * K + k0 + k]) : 0.0f;
      int c = i % TILE, kb = i / TILE;
      Bs[kb][c] = k0 + kb < K && col0 + c < N ? wmma::__float_to_tf32(B[(k0 + kb) * N + col0 + c]) : 0.0f;
    }
    __syncthreads();
    wmma::fragment<wmma::matrix_a, 16, 16, 8, wmma::precision::tf32, wmma::row_major> a;
    wmma::fragment<wmma::matrix_b, 16, 16, 8, wmma::precision::tf32, wmma::row_major> b;
    wmma::load_matrix_sync(a, &As[wr][0], DEPTH + PAD);
    wmma::load_matrix_sync(b, &Bs[0][wc], TILE + PAD);
    wmma::mma_sync(acc, a, b, acc);
    __syncthreads();
  }
  wmma::store_matrix_sync(&Cs[wr][wc], acc, TILE + PAD, wmma::mem_row_major);
  __syncthreads();
  for (int i = threadIdx.x; i < TILE * TILE; i += blockDim.x) {
    int r = i / TILE, c = i % TILE;
    if (row0 + r < M && col0 + c < N) C[(row0 + r) * N + col0 + c] = Cs[r][c];
  }
}

torch::Tensor forward(torch::Tensor a, torch::Tensor b) {
  int M = a.size(0), K = a.size(1), N = b.size(1);
  auto c = torch::empty({M, N}, a.options());
  gemm_tf32<<<dim3((N + TILE - 1) / TILE, (M + TILE - 1) / TILE), 128>>>(a.data_ptr<float>(), b.data_ptr<float>(), c.data_ptr<float>(), M, N, K);
  return c;
}
