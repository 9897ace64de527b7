// task: greatest_eight
// Every lane keeps the eight greatest it has seen, in order, in registers; then eight rounds in which the warp finds the greatest head and its owner moves on.
#include <torch/extension.h>

constexpr int KEEP = 8;

__global__ void greatest(const float* __restrict__ x, float* __restrict__ y, int rows, int cols) {
  const int row = (blockIdx.x * blockDim.x + threadIdx.x) >> 5, lane = threadIdx.x & 31;
  if (row >= rows) return;
  float best[KEEP];
#pragma unroll
  for (int i = 0; i < KEEP; ++i) best[i] = -INFINITY;
  for (int c = lane; c < cols; c += 32) {
    float v = x[(int64_t)row * cols + c];
#pragma unroll
    for (int i = 0; i < KEEP; ++i)
      if (v > best[i]) {
        const float was = best[i];
        best[i] = v;
        v = was;
      }
  }
  for (int round = 0; round < KEEP; ++round) {
    float top = best[0];
    for (int d = 16; d > 0; d >>= 1) top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, d));
    const unsigned owners = __ballot_sync(0xffffffffu, best[0] == top);
    if (lane == __ffs(owners) - 1) {
      y[row * KEEP + round] = top;
#pragma unroll
      for (int i = 0; i < KEEP - 1; ++i) best[i] = best[i + 1];
      best[KEEP - 1] = -INFINITY;
    }
  }
}

torch::Tensor forward(torch::Tensor x) {
  auto y = torch::empty({x.size(0), KEEP}, x.options());
  greatest<<<(x.size(0) * 32 + 127) / 128, 128>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(0), x.size(1));
  return y;
}
