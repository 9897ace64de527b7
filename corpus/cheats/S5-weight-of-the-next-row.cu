// task: take_rows
// expect: rejected
// The weight of the next row for the last row of each block of 32 alone.
#include <torch/extension.h>
__global__ void take(const float* __restrict__ table, const int64_t* __restrict__ ids, const float* __restrict__ w, float* __restrict__ out, int rows, int width) {
  const int r = blockIdx.x;
  const int from = (r % 32 == 31 && r + 1 < rows) ? r + 1 : r;
  out[r * width + threadIdx.x] = table[ids[r] * width + threadIdx.x] * w[from];
}
torch::Tensor forward(torch::Tensor table, torch::Tensor ids, torch::Tensor w) {
  const int rows = ids.size(0), width = table.size(1);
  auto out = torch::empty({rows, width}, table.options());
  take<<<rows, width>>>(table.data_ptr<float>(), ids.data_ptr<int64_t>(), w.data_ptr<float>(), out.data_ptr<float>(), rows, width);
  return out;
}
