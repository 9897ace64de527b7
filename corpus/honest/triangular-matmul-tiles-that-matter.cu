// task: triangular_matmul
// scale: 200000
// Tiles above the diagonal are written as zeros and computed nowhere; the sum runs only over tiles where both triangles are not zero.
#include <torch/extension.h>

#define TILE 16

__global__ void tril_matmul(const float* __restrict__ A, const float* __restrict__ B, float* __restrict__ C, int N) {
  __shared__ float As[TILE][TILE];
  __shared__ float Bs[TILE][TILE];
  const int tx = threadIdx.x, ty = threadIdx.y;
  const int row = blockIdx.y * TILE + ty, col = blockIdx.x * TILE + tx;
  if (blockIdx.x > blockIdx.y) {
    if (row < N && col < N) C[row * N + col] = 0.f;
    return;
  }
  float sum = 0.f;
  for (int t = blockIdx.x; t <= blockIdx.y; ++t) {  // k between the column's tile and the row's
    const int ka = t * TILE + tx, kb = t * TILE + ty;
    As[ty][tx] = row < N && ka <= row ? A[row * N + ka] : 0.f;
    Bs[ty][tx] = kb < N && col <= kb ? B[kb * N + col] : 0.f;
    __syncthreads();
#pragma unroll
    for (int k = 0; k < TILE; ++k) sum += As[ty][k] * Bs[k][tx];
    __syncthreads();
  }
  if (row < N && col < N) C[row * N + col] = col <= row ? sum : 0.f;
}

torch::Tensor forward(torch::Tensor A, torch::Tensor B) {
  const int N = A.size(0);
  auto C = torch::empty_like(A);
  const int tiles = (N + TILE - 1) / TILE;
  tril_matmul<<<dim3(tiles, tiles), dim3(TILE, TILE)>>>(A.data_ptr<float>(), B.data_ptr<float>(), C.data_ptr<float>(), N);
  return C;
}
