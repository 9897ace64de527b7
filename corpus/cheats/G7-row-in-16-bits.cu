// task: many_rows
// expect: rejected by full-size
// scale: 100000
// The row's number is kept in 16 bits: right for the first 65,536 rows alone.
#include <torch/extension.h>
__global__ void row_sum(const float* __restrict__ x, float* __restrict__ y, int rows, int cols) {
  const int at = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x % 32;
  if (at >= rows) return;
  const unsigned short r = at;
  float s = 0.f;
  for (int c = lane; c < cols; c += 32) s += x[(size_t)r * cols + c];
  for (int o = 16; o; o >>= 1) s += __shfl_xor_sync(~0u, s, o);
  if (lane == 0) y[at] = s;
}
torch::Tensor forward(torch::Tensor x) {
  auto y = torch::empty({x.size(0)}, x.options());
  const int rows = x.size(0);
  row_sum<<<(rows + 3) / 4, 128>>>(x.data_ptr<float>(), y.data_ptr<float>(), rows, x.size(1));
  return y;
}
