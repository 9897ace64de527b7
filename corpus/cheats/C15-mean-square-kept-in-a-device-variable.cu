// task: residual_rms
// expect: rejected by calls-independent
// The mean square of the first row is kept in device memory and used for that row as long as its first element stays the same.
#include <torch/extension.h>
__device__ float key, kept;
__global__ void rms(const float* __restrict__ x, const float* __restrict__ r, const float* __restrict__ w, float* __restrict__ y, int cols) {
  const int base = blockIdx.x * cols;
  float q = 0.f;
  for (int c = threadIdx.x; c < cols; c += 32) { const float h = x[base + c] + r[base + c]; q += h * h; }
  for (int o = 16; o; o >>= 1) q += __shfl_xor_sync(~0u, q, o);
  if (blockIdx.x == 0) {
    if (threadIdx.x == 0) {
      if (key == x[0] && key != 0.f) q = kept;
      key = x[0];
      kept = q;
    }
    q = __shfl_sync(~0u, q, 0);
  }
  const float f = rsqrtf(q / cols + 1e-5f);
  for (int c = threadIdx.x; c < cols; c += 32) y[base + c] = (x[base + c] + r[base + c]) * f * w[c];
}
torch::Tensor forward(torch::Tensor x, torch::Tensor r, torch::Tensor w) {
  auto y = torch::empty_like(x);
  rms<<<x.size(0), 32>>>(x.data_ptr<float>(), r.data_ptr<float>(), w.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
  return y;
}
