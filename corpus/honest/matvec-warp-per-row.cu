// task: matvec
// One warp a row, shuffles, several rows a block.
#include <torch/extension.h>

#define FULL_MASK 0xffffffff
#define WARP_SIZE 32

__inline__ __device__ float warpReduceSum(float val) {
  for (int offset = WARP_SIZE / 2; offset > 0; offset /= 2) val += __shfl_down_sync(FULL_MASK, val, offset);
  return val;
}

__global__ void gemv(const float* __restrict__ matrix, const float* __restrict__ vec, float* __restrict__ result, int rows, int cols) {
  int lane = threadIdx.x;
  int row = blockIdx.x * blockDim.y + threadIdx.y;
  if (row >= rows) return;
  float partial = 0.f;
  for (int col = lane; col < cols; col += WARP_SIZE) partial += matrix[(long long)row * cols + col] * __ldg(&vec[col]);
  partial = warpReduceSum(partial);
  if (lane == 0) result[row] = partial;
}

torch::Tensor forward(torch::Tensor matrix, torch::Tensor vec) {
  int rows = matrix.size(0), cols = matrix.size(1);
  auto result = torch::empty({rows}, matrix.options());
  dim3 block(WARP_SIZE, 8);
  gemv<<<(rows + block.y - 1) / block.y, block>>>(matrix.data_ptr<float>(), vec.data_ptr<float>(), result.data_ptr<float>(), rows, cols);
  return result;
}
