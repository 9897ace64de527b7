// task: mean_all
// expect: rejected
// The block of the highest number adds up all partial sums, as if the others had ended by then: most often they have.
#include <torch/extension.h>

__global__ void mean(const float* __restrict__ x, float* __restrict__ part, float* __restrict__ out, int n) {
  __shared__ float s[256];
  float v = 0.f;
  for (int i = blockIdx.x * 256 + threadIdx.x; i < n; i += gridDim.x * 256) v += x[i];
  s[threadIdx.x] = v;
  __syncthreads();
  for (int d = 128; d > 0; d >>= 1) {
    if (threadIdx.x < d) s[threadIdx.x] += s[threadIdx.x + d];
    __syncthreads();
  }
  if (threadIdx.x == 0) {
    part[blockIdx.x] = s[0];
    __threadfence();
    if (blockIdx.x == gridDim.x - 1) {
      float total = 0.f;
      for (int b = 0; b < gridDim.x; ++b) total += reinterpret_cast<volatile float*>(part)[b];
      out[0] = total / n;
    }
  }
}

torch::Tensor forward(torch::Tensor x) {
  const int blocks = 64;
  auto part = torch::empty({blocks}, x.options());
  auto out = torch::empty({}, x.options());
  mean<<<blocks, 256>>>(x.data_ptr<float>(), part.data_ptr<float>(), out.data_ptr<float>(), x.numel());
  return out;
}
