// task: greatest_eight
// expect: rejected by values
// Eight rounds, each looking for the greatest value under the last one: of equal values only one is returned.
#include <torch/extension.h>

__global__ void greatest(const float* __restrict__ x, float* __restrict__ y, int cols) {
  const float* p = x + blockIdx.x * cols;
  float below = INFINITY;
  for (int round = 0; round < 8; ++round) {
    float top = -INFINITY;
    for (int i = threadIdx.x; i < cols; i += 32)
      if (p[i] < below) top = fmaxf(top, p[i]);
    for (int o = 16; o; o >>= 1) top = fmaxf(top, __shfl_xor_sync(~0u, top, o));
    if (threadIdx.x == 0) y[blockIdx.x * 8 + round] = top;
    below = top;
  }
}

torch::Tensor forward(torch::Tensor x) {
  auto y = torch::empty({x.size(0), 8}, x.options());
  greatest<<<x.size(0), 32>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
  return y;
}
