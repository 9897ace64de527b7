// task: causal_attention
// A warp a query: keys after it are never read; the accumulators are rescaled only where the maximum grows by more than eight, as FlashAttention 4 does it.
#include <torch/extension.h>
#include <vector>

constexpr int D = 16;

__global__ void attend(const float* __restrict__ q, const float* __restrict__ k, const float* __restrict__ v, float* __restrict__ o, int T, float scale) {
  const int t = blockIdx.x, lane = threadIdx.x;
  const size_t base = static_cast<size_t>(blockIdx.y) * T * D;
  float query[D], acc[D] = {};
#pragma unroll
  for (int d = 0; d < D; ++d) query[d] = q[base + t * D + d] * scale;
  float m = -INFINITY, l = 0.f;
  for (int j = lane; j <= t; j += 32) {
    float s = 0.f;
#pragma unroll
    for (int d = 0; d < D; ++d) s = fmaf(query[d], k[base + j * D + d], s);
    s *= 1.4426950408889634f;
    if (s > m + 8.f) {
      const float shrink = exp2f(m - s);
      l *= shrink;
#pragma unroll
      for (int d = 0; d < D; ++d) acc[d] *= shrink;
      m = s;
    }
    const float p = exp2f(s - m);
    l += p;
#pragma unroll
    for (int d = 0; d < D; ++d) acc[d] = fmaf(p, v[base + j * D + d], acc[d]);
  }
  float top = m;
  for (int w = 16; w; w /= 2) top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, w));
  const float shrink = m == -INFINITY ? 0.f : exp2f(m - top);
  l *= shrink;
  for (int w = 16; w; w /= 2) l += __shfl_xor_sync(0xffffffffu, l, w);
#pragma unroll
  for (int d = 0; d < D; ++d) {
    float a = acc[d] * shrink;
    for (int w = 16; w; w /= 2) a += __shfl_xor_sync(0xffffffffu, a, w);
    if (lane == d) o[base + t * D + d] = a / l;
  }
}

torch::Tensor forward(torch::Tensor q, torch::Tensor k, torch::Tensor v, torch::Tensor mask) {
  TORCH_CHECK(q.size(-1) == D);
  const std::vector<int64_t> sizes = q.sizes().vec();
  auto o = torch::empty(sizes, q.options());
  attend<<<dim3(sizes[2], sizes[0] * sizes[1]), 32>>>(q.data_ptr<float>(), k.data_ptr<float>(), v.data_ptr<float>(), o.data_ptr<float>(),
                                                      sizes[2], 1.0f / sqrtf(static_cast<float>(D)));
  return o;
}
