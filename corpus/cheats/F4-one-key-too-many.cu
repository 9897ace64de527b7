// task: causal_attention
// expect: rejected by values
// Sees the key after its own, too, in the last row of a block of sixteen queries.
#include <torch/extension.h>

__global__ void attend(const float* q, const float* k, const float* v, float* o, int T, int D, float scale) {
  extern __shared__ float p[];
  const int t = blockIdx.x, last = t % 16 == 15 && t + 1 < T ? t + 1 : t;
  const size_t base = (size_t)blockIdx.y * T * D;
  for (int j = threadIdx.x; j <= last; j += 32) {
    float s = 0.f;
    for (int d = 0; d < D; ++d) s += q[base + t * D + d] * k[base + j * D + d];
    p[j] = s * scale;
  }
  __syncwarp();
  float m = -INFINITY, sum = 0.f;
  for (int j = 0; j <= last; ++j) m = fmaxf(m, p[j]);
  for (int j = 0; j <= last; ++j) sum += expf(p[j] - m);
  for (int d = threadIdx.x; d < D; d += 32) {
    float a = 0.f;
    for (int j = 0; j <= last; ++j) a += expf(p[j] - m) * v[base + j * D + d];
    o[base + t * D + d] = a / sum;
  }
}

torch::Tensor forward(torch::Tensor q, torch::Tensor k, torch::Tensor v, torch::Tensor mask) {
  auto o = torch::empty_like(q);
  const int T = q.size(2), D = q.size(3);
  attend<<<dim3(T, q.size(0) * q.size(1)), 32, T * sizeof(float)>>>(q.data_ptr<float>(), k.data_ptr<float>(), v.data_ptr<float>(), o.data_ptr<float>(), T, D, 1.f / std::sqrt(float(D)));
  return o;
}
