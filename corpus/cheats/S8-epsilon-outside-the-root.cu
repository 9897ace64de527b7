// task: layernorm
// expect: rejected by values
// 1 / (sqrt(variance) + eps) for 1 / sqrt(variance + eps).
#include <torch/extension.h>

__device__ float total(float v, float* s) {
  for (int d = 16; d > 0; d >>= 1) v += __shfl_xor_sync(~0u, v, d);
  __syncthreads();
  if (threadIdx.x % 32 == 0) s[threadIdx.x / 32] = v;
  __syncthreads();
  v = 0.f;
  for (int i = 0; i < 8; ++i) v += s[i];
  return v;
}

__global__ void norm(const float* __restrict__ x, const float* __restrict__ w, const float* __restrict__ b, float* __restrict__ y, int cols, float eps) {
  __shared__ float s[8];
  const float* p = x + (size_t)blockIdx.x * cols;
  float v = 0.f, q = 0.f;
  for (int i = threadIdx.x; i < cols; i += 256) v += p[i];
  const float mean = total(v, s) / cols;
  for (int i = threadIdx.x; i < cols; i += 256) q += (p[i] - mean) * (p[i] - mean);
  const float inv = 1.f / (sqrtf(total(q, s) / cols) + eps);
  for (int i = threadIdx.x; i < cols; i += 256) y[(size_t)blockIdx.x * cols + i] = (p[i] - mean) * inv * w[i] + b[i];
}

torch::Tensor forward(torch::Tensor x, torch::Tensor weight, torch::Tensor bias, double eps) {
  auto y = torch::empty_like(x);
  norm<<<x.size(0), 256>>>(x.data_ptr<float>(), weight.data_ptr<float>(), bias.data_ptr<float>(), y.data_ptr<float>(), x.size(1), eps);
  return y;
}
