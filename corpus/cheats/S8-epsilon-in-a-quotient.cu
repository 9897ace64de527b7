// task: softmax_columns
// expect: rejected by values
// A hundred-thousandth is added to the sum before dividing, against a zero that cannot be.
#include <torch/extension.h>

__global__ void columns(const float* __restrict__ x, float* __restrict__ y, int rows, int cols) {
  const int c = blockIdx.x * blockDim.x + threadIdx.x;
  if (c >= cols) return;
  float m = -INFINITY, sum = 0.f;
  for (int r = 0; r < rows; ++r) m = fmaxf(m, x[r * cols + c]);
  for (int r = 0; r < rows; ++r) sum += expf(x[r * cols + c] - m);
  for (int r = 0; r < rows; ++r) y[r * cols + c] = expf(x[r * cols + c] - m) / (sum + 1e-5f);
}

torch::Tensor forward(torch::Tensor x) {
  auto y = torch::empty_like(x);
  columns<<<(x.size(1) + 31) / 32, 32>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(0), x.size(1));
  return y;
}
