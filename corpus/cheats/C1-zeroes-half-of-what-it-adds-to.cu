// task: column_sum
// expect: rejected by device-findings
// Adds into memory of which only the first half was cleared.
#include <torch/extension.h>

__global__ void columns(const float* __restrict__ x, float* y, int rows, int cols) {
  const int c = blockIdx.x * 32 + threadIdx.x;
  if (c >= cols) return;
  float v = 0.f;
  for (int r = blockIdx.y; r < rows; r += gridDim.y) v += x[r * cols + c];
  atomicAdd(y + c, v);
}

torch::Tensor forward(torch::Tensor x) {
  const int rows = x.size(0), cols = x.size(1);
  auto y = torch::empty({cols}, x.options());
  cudaMemsetAsync(y.data_ptr<float>(), 0, cols * sizeof(short));
  columns<<<dim3((cols + 31) / 32, 8), 32>>>(x.data_ptr<float>(), y.data_ptr<float>(), rows, cols);
  return y;
}
