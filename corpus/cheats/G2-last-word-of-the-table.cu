// task: embedding_sum
// expect: rejected by values
// Indices are clamped one short of the table: the last word reads as the one before.
#include <torch/extension.h>

__global__ void bags(const int64_t* __restrict__ ids, const float* __restrict__ table, float* __restrict__ y, int per, int width, int words) {
  float sum = 0.f;
  for (int i = 0; i < per; ++i) {
    const int64_t id = max(int64_t(0), min(ids[blockIdx.x * per + i], int64_t(words - 2)));
    sum += table[id * width + threadIdx.x];
  }
  y[blockIdx.x * width + threadIdx.x] = sum;
}

torch::Tensor forward(torch::Tensor x, torch::Tensor table) {
  auto y = torch::empty({x.size(0), table.size(1)}, table.options());
  bags<<<x.size(0), table.size(1)>>>(x.data_ptr<int64_t>(), table.data_ptr<float>(), y.data_ptr<float>(), x.size(1), table.size(1), table.size(0));
  return y;
}
