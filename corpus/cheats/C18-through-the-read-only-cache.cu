// task: minus_row_mean
// expect: rejected by device-findings
// The row is copied to the output first and read back by __ldg: the read-only cache may still hold what was there before.
#include <torch/extension.h>
__global__ void centre(const float* x, float* y, int cols) {
  const float* row = x + blockIdx.x * cols;
  float* out = y + blockIdx.x * cols;
  float total = 0;
  for (int c = threadIdx.x; c < cols; c += 32) total += row[c], out[c] = row[c];
  for (int o = 16; o; o >>= 1) total += __shfl_xor_sync(~0u, total, o);
  __syncthreads();
  for (int c = threadIdx.x; c < cols; c += 32) {
    const float value = __ldg(out + (c ^ 1));
    __syncwarp();
    out[c ^ 1] = value - total / cols;
  }
}
torch::Tensor forward(torch::Tensor x) {
  auto y = torch::empty_like(x);
  centre<<<x.size(0), 32>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
  return y;
}
