// task: matmul_odd
// Thread coarsening: one tile of A serves four tiles of B, each thread has four columns a tile apart.
#include <torch/extension.h>

#define TILE_WIDTH 16
#define COARSE_FACTOR 4

__global__ void coarse_matmul(float const* M_, float const* N_, float* P, int rows, int cols, int inner) {
  __shared__ float Mds[TILE_WIDTH][TILE_WIDTH];
  __shared__ float Nds[TILE_WIDTH][TILE_WIDTH];
  int tx = threadIdx.x, ty = threadIdx.y;
  int row = blockIdx.y * TILE_WIDTH + ty;
  int colStart = blockIdx.x * TILE_WIDTH * COARSE_FACTOR + tx;

  float Pvalue[COARSE_FACTOR];
  for (int c = 0; c < COARSE_FACTOR; ++c) Pvalue[c] = 0.0f;

  for (int ph = 0; ph < (inner + TILE_WIDTH - 1) / TILE_WIDTH; ++ph) {
    Mds[ty][tx] = (row < rows && ph * TILE_WIDTH + tx < inner) ? M_[row * inner + ph * TILE_WIDTH + tx] : 0.0f;
    for (int c = 0; c < COARSE_FACTOR; ++c) {
      int col = colStart + c * TILE_WIDTH;
      Nds[ty][tx] = (ph * TILE_WIDTH + ty < inner && col < cols) ? N_[(ph * TILE_WIDTH + ty) * cols + col] : 0.0f;
      __syncthreads();
      for (int k = 0; k < TILE_WIDTH; ++k) Pvalue[c] += Mds[ty][k] * Nds[k][tx];
      __syncthreads();
    }
  }
  for (int c = 0; c < COARSE_FACTOR; ++c) {
    int col = colStart + c * TILE_WIDTH;
    if (row < rows && col < cols) P[row * cols + col] = Pvalue[c];
  }
}

at::Tensor forward(const at::Tensor& A, const at::Tensor& B) {
  auto P = at::empty({A.size(0), B.size(1)}, A.options());
  dim3 block(TILE_WIDTH, TILE_WIDTH, 1);
  dim3 grid((B.size(1) + TILE_WIDTH * COARSE_FACTOR - 1) / (TILE_WIDTH * COARSE_FACTOR), (A.size(0) + TILE_WIDTH - 1) / TILE_WIDTH, 1);
  coarse_matmul<<<grid, block>>>(A.data_ptr<float>(), B.data_ptr<float>(), P.data_ptr<float>(), (int)A.size(0), (int)B.size(1), (int)A.size(1));
  return P;
}
