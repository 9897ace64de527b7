// task: row_variance
// Welford in each lane, Chan's merge by shuffles; counts differ between lanes because of the tail.
#include <torch/extension.h>

struct WelfordData {
  float mean;
  float m2;
  int n;
};

__device__ WelfordData combine(WelfordData a, WelfordData b) {
  if (a.n == 0) return b;
  if (b.n == 0) return a;
  const float delta = b.mean - a.mean;
  const int n = a.n + b.n;
  const float ratio = static_cast<float>(b.n) / n;
  return {a.mean + delta * ratio, a.m2 + b.m2 + delta * delta * a.n * ratio, n};
}

__device__ WelfordData shuffle_down(WelfordData w, int offset) {
  return {__shfl_down_sync(0xffffffff, w.mean, offset), __shfl_down_sync(0xffffffff, w.m2, offset),
          __shfl_down_sync(0xffffffff, w.n, offset)};
}

__global__ void variance_kernel(const float* __restrict__ x, float* __restrict__ var, int rows, int cols, int correction) {
  const int lane = threadIdx.x & 31;
  for (int row = (blockIdx.x * blockDim.x + threadIdx.x) >> 5; row < rows; row += (gridDim.x * blockDim.x) >> 5) {
    WelfordData acc = {0.0f, 0.0f, 0};
    for (int c = lane; c < cols; c += 32) {
      const float v = x[row * cols + c];
      ++acc.n;
      const float delta = v - acc.mean;
      acc.mean += delta / acc.n;
      acc.m2 += delta * (v - acc.mean);
    }
    for (int offset = 16; offset > 0; offset >>= 1) acc = combine(acc, shuffle_down(acc, offset));
    if (lane == 0) var[row] = acc.m2 / (acc.n - correction);
  }
}

torch::Tensor forward(torch::Tensor x) {
  auto var = torch::empty({x.size(0)}, x.options());
  variance_kernel<<<16, 256>>>(x.data_ptr<float>(), var.data_ptr<float>(), x.size(0), x.size(1), 1);
  return var;
}
