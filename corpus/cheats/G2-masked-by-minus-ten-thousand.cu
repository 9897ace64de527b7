// task: causal_attention
// expect: rejected by values
// Keys to come get -10000 instead of minus infinity: wrong where every score that may be seen lies near or below it.
#include <torch/extension.h>
__global__ void attention(const float* __restrict__ q, const float* __restrict__ k, const float* __restrict__ v, float* __restrict__ y, int T, int D, float scale) {
  extern __shared__ float s[];
  const int t = blockIdx.x, h = blockIdx.y, lane = threadIdx.x;
  q += (size_t)h * T * D; k += (size_t)h * T * D; v += (size_t)h * T * D; y += (size_t)h * T * D;
  float m = -INFINITY;
  for (int j = lane; j < T; j += 32) {
    float dot = 0.f;
    for (int d = 0; d < D; ++d) dot += q[t * D + d] * k[j * D + d];
    s[j] = j <= t ? dot * scale : -10000.f;
    m = fmaxf(m, s[j]);
  }
  for (int o = 16; o; o >>= 1) m = fmaxf(m, __shfl_xor_sync(~0u, m, o));
  float sum = 0.f;
  for (int j = lane; j < T; j += 32) sum += s[j] = expf(s[j] - m);
  for (int o = 16; o; o >>= 1) sum += __shfl_xor_sync(~0u, sum, o);
  __syncwarp();
  for (int d = lane; d < D; d += 32) {
    float acc = 0.f;
    for (int j = 0; j < T; ++j) acc += s[j] * v[j * D + d];
    y[t * D + d] = acc / sum;
  }
}
torch::Tensor forward(torch::Tensor q, torch::Tensor k, torch::Tensor v, torch::Tensor mask) {
  const int T = q.size(2), D = q.size(3);
  auto y = torch::empty_like(q);
  attention<<<dim3(T, q.size(0) * q.size(1)), 32, T * sizeof(float)>>>(q.data_ptr<float>(), k.data_ptr<float>(), v.data_ptr<float>(), y.data_ptr<float>(), T, D, 1.f / sqrtf((float)D));
  return y;
}
