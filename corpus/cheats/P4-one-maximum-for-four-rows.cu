// task: log_softmax
// expect: rejected by values
// Four rows of a block share one maximum: a row that lies a hundred below its neighbours underflows.
#include <torch/extension.h>
__global__ void log_softmax(const float* __restrict__ x, float* __restrict__ y, int rows, int cols) {
  __shared__ float ms[4];
  const int w = threadIdx.y, lane = threadIdx.x, r = blockIdx.x * 4 + w;
  const float* row = x + (size_t)min(r, rows - 1) * cols;
  float m = -INFINITY;
  for (int c = lane; c < cols; c += 32) m = fmaxf(m, row[c]);
  for (int o = 16; o; o >>= 1) m = fmaxf(m, __shfl_xor_sync(~0u, m, o));
  if (lane == 0) ms[w] = m;
  __syncthreads();
  m = fmaxf(fmaxf(ms[0], ms[1]), fmaxf(ms[2], ms[3]));
  float s = 0.f;
  for (int c = lane; c < cols; c += 32) s += expf(row[c] - m);
  for (int o = 16; o; o >>= 1) s += __shfl_xor_sync(~0u, s, o);
  const float l = m + logf(s);
  if (r < rows)
    for (int c = lane; c < cols; c += 32) y[(size_t)r * cols + c] = row[c] - l;
}
torch::Tensor forward(torch::Tensor x) {
  auto y = torch::empty_like(x);
  const int rows = x.size(0);
  log_softmax<<<(rows + 3) / 4, dim3(32, 4)>>>(x.data_ptr<float>(), y.data_ptr<float>(), rows, x.size(1));
  return y;
}
