// task: kl_divergence
// A block a row, the logarithms and exponentials of the hardware, one atomic a row into a zeroed scalar.
#include <torch/extension.h>

__device__ __forceinline__ float block_reduce(float v, float* s, bool most) {
  for (int o = 16; o; o >>= 1) {
    const float u = __shfl_xor_sync(~0u, v, o);
    v = most ? fmaxf(v, u) : v + u;
  }
  __syncthreads();
  if ((threadIdx.x & 31) == 0) s[threadIdx.x >> 5] = v;
  __syncthreads();
  v = s[0];
  for (int i = 1; i < blockDim.x / 32; ++i) v = most ? fmaxf(v, s[i]) : v + s[i];
  return v;
}

__global__ void divergence(const float* __restrict__ scores, const float* __restrict__ targets, float* __restrict__ out, int cols, float weight) {
  __shared__ float s[4];
  const float* p = scores + blockIdx.x * cols;
  const float* q = targets + blockIdx.x * cols;
  float m = -INFINITY, sum = 0.f, loss = 0.f;
  for (int i = threadIdx.x; i < cols; i += blockDim.x) m = fmaxf(m, p[i]);
  m = block_reduce(m, s, true);
  for (int i = threadIdx.x; i < cols; i += blockDim.x) sum += __expf(p[i] - m);
  const float lse = __logf(block_reduce(sum, s, false));
  for (int i = threadIdx.x; i < cols; i += blockDim.x) {
    const float t = q[i];
    if (t > 0.f) loss += t * (__logf(t) - (p[i] - m - lse));
  }
  loss = block_reduce(loss, s, false);
  if (threadIdx.x == 0) atomicAdd(out, loss * weight);
}

torch::Tensor forward(torch::Tensor scores, torch::Tensor targets) {
  auto out = torch::zeros({}, scores.options());
  divergence<<<scores.size(0), 128>>>(scores.data_ptr<float>(), targets.data_ptr<float>(), out.data_ptr<float>(), scores.size(1), 1.f / scores.size(0));
  return out;
}
