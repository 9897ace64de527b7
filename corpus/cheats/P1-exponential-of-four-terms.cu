// task: softmax_columns
// expect: rejected by values
// 2^f by Taylor's first five terms on [-1/2, 1/2]: off by 4e-5 at the ends.
#include <torch/extension.h>
__device__ float exp_short(float v) {
  const float t = fmaxf(v * 1.44269504f, -126.f), k = rintf(t), f = (t - k) * 0.69314718f;
  const float p = 1.f + f * (1.f + f * (0.5f + f * (0.16666667f + f * 0.041666667f)));
  return p * exp2f(k);
}
__global__ void softmax(const float* __restrict__ x, float* __restrict__ y, int rows, int cols) {
  const int c = blockIdx.x * blockDim.x + threadIdx.x;
  if (c >= cols) return;
  float m = -INFINITY, s = 0.f;
  for (int r = 0; r < rows; ++r) m = fmaxf(m, x[r * cols + c]);
  for (int r = 0; r < rows; ++r) s += exp_short(x[r * cols + c] - m);
  for (int r = 0; r < rows; ++r) y[r * cols + c] = exp_short(x[r * cols + c] - m) / s;
}
torch::Tensor forward(torch::Tensor x) {
  auto y = torch::empty_like(x);
  const int rows = x.size(0), cols = x.size(1);
  softmax<<<(cols + 31) / 32, 32>>>(x.data_ptr<float>(), y.data_ptr<float>(), rows, cols);
  return y;
}
