// task: masked_mean
// The mask is read as pairs of 64-bit integers; counts are integers, sums are Kahan's.
#include <torch/extension.h>

__global__ void masked_mean(const float* __restrict__ x, const int64_t* __restrict__ mask, float* __restrict__ y, int cols) {
  const int row = blockIdx.x;
  float sum = 0.f, lost = 0.f;
  int count = 0;
  for (int c = threadIdx.x; c < cols; c += 32) {
    const int64_t m = mask[(int64_t)row * cols + c];
    const float term = __fsub_rn(x[(int64_t)row * cols + c] * (float)m, lost), next = __fadd_rn(sum, term);
    lost = __fsub_rn(__fsub_rn(next, sum), term);
    sum = next;
    count += (int)m;
  }
  for (int o = 16; o; o /= 2) sum += __shfl_xor_sync(-1, sum, o);
  count = __reduce_add_sync(-1, count);
  if (threadIdx.x == 0) y[row] = sum / fmaxf((float)count, 1.f);
}

torch::Tensor forward(torch::Tensor x, torch::Tensor mask) {
  auto y = x.new_empty({x.size(0)});
  masked_mean<<<x.size(0), 32>>>(x.data_ptr<float>(), mask.data_ptr<int64_t>(), y.data_ptr<float>(), x.size(1));
  return y;
}
