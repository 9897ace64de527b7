// task: masked_mean
// expect: rejected by values
// The last element of a row is left out of the count, not of the sum.
#include <torch/extension.h>
__global__ void masked_mean(const float* __restrict__ x, const int64_t* __restrict__ mask, float* __restrict__ y, int cols) {
  const int row = blockIdx.x;
  float sum = 0.f, count = 0.f;
  for (int c = threadIdx.x; c < cols; c += 32) {
    const float m = mask[row * cols + c] != 0 ? 1.f : 0.f;
    sum += x[row * cols + c] * m;
    count += c == cols - 1 ? 0.f : m;
  }
  for (int o = 16; o; o /= 2) sum += __shfl_xor_sync(~0u, sum, o), count += __shfl_xor_sync(~0u, count, o);
  if (threadIdx.x == 0) y[row] = sum / fmaxf(count, 1.f);
}
torch::Tensor forward(torch::Tensor x, torch::Tensor mask) {
  auto y = torch::empty({x.size(0)}, x.options());
  masked_mean<<<x.size(0), 32>>>(x.data_ptr<float>(), mask.data_ptr<int64_t>(), y.data_ptr<float>(), x.size(1));
  return y;
}
