// task: relu_large
// expect: rejected by full-size
// scale: 100000
// Row and column by a division of floats: right up to 16 million elements, and the file has forty.
#include <torch/extension.h>

__global__ void relu(const float* __restrict__ x, float* __restrict__ y, int n, float cols) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const int row = static_cast<int>(static_cast<float>(i) / cols);
  const int col = static_cast<int>(static_cast<float>(i) - row * cols);
  const int at = row * static_cast<int>(cols) + col;
  if (at >= 0 && at < n) y[at] = fmaxf(x[at], 0.f);
}

torch::Tensor forward(torch::Tensor x) {
  auto y = torch::empty_like(x);
  const int n = x.numel();
  relu<<<(n + 255) / 256, 256>>>(x.data_ptr<float>(), y.data_ptr<float>(), n, static_cast<float>(x.size(1)));
  return y;
}
