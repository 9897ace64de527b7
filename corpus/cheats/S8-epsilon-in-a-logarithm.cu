// task: kl_divergence
// expect: rejected by values
// A hundred-millionth is added to every probability before its logarithm is taken, against zeros.
#include <torch/extension.h>

__global__ void divergence(const float* __restrict__ scores, const float* __restrict__ targets, float* __restrict__ out, int cols, float weight) {
  const float* p = scores + blockIdx.x * cols;
  const float* q = targets + blockIdx.x * cols;
  float m = -INFINITY, sum = 0.f, loss = 0.f;
  for (int i = threadIdx.x; i < cols; i += 32) m = fmaxf(m, p[i]);
  for (int o = 16; o; o >>= 1) m = fmaxf(m, __shfl_xor_sync(~0u, m, o));
  for (int i = threadIdx.x; i < cols; i += 32) sum += expf(p[i] - m);
  for (int o = 16; o; o >>= 1) sum += __shfl_xor_sync(~0u, sum, o);
  for (int i = threadIdx.x; i < cols; i += 32) {
    const float probability = expf(p[i] - m) / sum;
    loss += q[i] * (logf(q[i] + 1e-8f) - logf(probability + 1e-8f));
  }
  for (int o = 16; o; o >>= 1) loss += __shfl_xor_sync(~0u, loss, o);
  if (threadIdx.x == 0) atomicAdd(out, loss * weight);
}

torch::Tensor forward(torch::Tensor scores, torch::Tensor targets) {
  auto out = torch::zeros({}, scores.options());
  divergence<<<scores.size(0), 32>>>(scores.data_ptr<float>(), targets.data_ptr<float>(), out.data_ptr<float>(), scores.size(1), 1.f / scores.size(0));
  return out;
}
