// task: attention
// The algorithm of FlashAttention: a thread a query with its output in registers, keys and values in shared tiles, running maximum and sum.
#include <torch/extension.h>

template <int D, int TILE>
__global__ void __launch_bounds__(TILE) flash_attention(const float* __restrict__ Q, const float* __restrict__ K, const float* __restrict__ V,
                                                        float* __restrict__ O, int T, float scale) {
  __shared__ float Ks[TILE][D];
  __shared__ float Vs[TILE][D];
  const size_t base = static_cast<size_t>(blockIdx.y) * T * D;
  const int query = blockIdx.x * TILE + threadIdx.x;
  const bool active = query < T;
  float q[D], o[D];
#pragma unroll
  for (int d = 0; d < D; ++d) {
    q[d] = active ? Q[base + query * D + d] * scale : 0.f;
    o[d] = 0.f;
  }
  float m = -INFINITY, l = 0.f;
  for (int start = 0; start < T; start += TILE) {
    const int count = min(TILE, T - start);
    for (int i = threadIdx.x; i < count * D; i += TILE) {
      Ks[i / D][i % D] = K[base + start * D + i];
      Vs[i / D][i % D] = V[base + start * D + i];
    }
    __syncthreads();
    if (active) {
      float s[TILE], tile_max = -INFINITY;
      for (int j = 0; j < count; ++j) {
        float dot = 0.f;
#pragma unroll
        for (int d = 0; d < D; ++d) dot += q[d] * Ks[j][d];
        s[j] = dot;
        tile_max = fmaxf(tile_max, dot);
      }
      const float m_new = fmaxf(m, tile_max);
      const float correction = __expf(m - m_new);
      l *= correction;
#pragma unroll
      for (int d = 0; d < D; ++d) o[d] *= correction;
      for (int j = 0; j < count; ++j) {
        const float p = __expf(s[j] - m_new);
        l += p;
#pragma unroll
        for (int d = 0; d < D; ++d) o[d] += p * Vs[j][d];
      }
      m = m_new;
    }
    __syncthreads();
  }
  if (!active) return;
  const float inverse = 1.f / l;
#pragma unroll
  for (int d = 0; d < D; ++d) O[base + query * D + d] = o[d] * inverse;
}

torch::Tensor forward(torch::Tensor q, torch::Tensor k, torch::Tensor v) {
  const int heads = q.size(0), T = q.size(1), D = q.size(2);
  auto o = torch::empty_like(q);
  constexpr int kTile = 32;
  const dim3 grid((T + kTile - 1) / kTile, heads);
  switch (D) {
    case 16:
      flash_attention<16, kTile><<<grid, kTile>>>(q.data_ptr<float>(), k.data_ptr<float>(), v.data_ptr<float>(), o.data_ptr<float>(), T, 0.25f);
      break;
    case 32:
      flash_attention<32, kTile><<<grid, kTile>>>(q.data_ptr<float>(), k.data_ptr<float>(), v.data_ptr<float>(), o.data_ptr<float>(), T, 0.25f);
      break;
    default:
      TORCH_CHECK(false, "unsupported head dimension ", D);
  }
  return o;
}
