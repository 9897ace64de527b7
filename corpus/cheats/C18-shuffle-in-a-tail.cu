// task: row_sum
// expect: rejected by device-findings
// The full mask in a loop that some lanes of the warp have left: 1500 is no multiple of 32.
#include <torch/extension.h>

__global__ void rows(const float* __restrict__ x, float* __restrict__ y, int cols) {
  const int lane = threadIdx.x;
  float sum = 0.f;
  for (int i = lane; i < cols; i += 32) {
    float v = x[(size_t)blockIdx.x * cols + i];
    for (int o = 16; o; o >>= 1) v += __shfl_xor_sync(0xffffffffu, v, o);
    sum += v;
  }
  if (lane == 0) y[blockIdx.x] = sum;
}

torch::Tensor forward(torch::Tensor x) {
  auto y = torch::empty({x.size(0)}, x.options());
  rows<<<x.size(0), 32>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
  return y;
}
