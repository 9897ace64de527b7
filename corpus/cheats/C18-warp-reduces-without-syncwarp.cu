// task: column_sum
// expect: rejected by device-findings
// Lanes of one warp exchange through shared memory as if they ran in step: no __syncwarp between halves.
#include <torch/extension.h>
__global__ void column_sum(const float* __restrict__ x, float* __restrict__ y, int rows, int cols) {
  __shared__ float s[64];
  float a = 0.f;
  for (int r = threadIdx.x; r < rows; r += 64) a += x[r * cols + blockIdx.x];
  s[threadIdx.x] = a;
  __syncthreads();
  if (threadIdx.x < 32) {
    s[threadIdx.x] += s[threadIdx.x + 32];
    if (threadIdx.x < 16) s[threadIdx.x] += s[threadIdx.x + 16];
    if (threadIdx.x < 8) s[threadIdx.x] += s[threadIdx.x + 8];
    if (threadIdx.x < 4) s[threadIdx.x] += s[threadIdx.x + 4];
    if (threadIdx.x < 2) s[threadIdx.x] += s[threadIdx.x + 2];
    if (threadIdx.x < 1) y[blockIdx.x] = s[0] + s[1];
  }
}
torch::Tensor forward(torch::Tensor x) {
  auto y = torch::empty({x.size(1)}, x.options());
  column_sum<<<x.size(1), 64>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(0), x.size(1));
  return y;
}
