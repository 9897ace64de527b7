// task: batched_matmul
// A warp that loads and four that multiply, two buffers, named barriers: arrive by the one side, sync by the other.
#include <torch/extension.h>

namespace {

constexpr int kTile = 16, kDepth = 8, kConsumers = 128, kThreads = kConsumers + 32;

__device__ __forceinline__ void named_sync(int id) { asm volatile("bar.sync %0, %1;" ::"r"(id), "n"(kThreads) : "memory"); }
__device__ __forceinline__ void named_arrive(int id) { asm volatile("bar.arrive %0, %1;" ::"r"(id), "n"(kThreads) : "memory"); }

__global__ void __launch_bounds__(kThreads) specialised(const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ c, int m, int n, int k) {
  __shared__ float as[2][kTile][kDepth], bs[2][kDepth][kTile];
  const int m0 = blockIdx.y * kTile, n0 = blockIdx.x * kTile;
  a += static_cast<size_t>(blockIdx.z) * m * k;
  b += static_cast<size_t>(blockIdx.z) * k * n;
  const int steps = (k + kDepth - 1) / kDepth;
  constexpr int full = 1, empty = 3;  // and one more for the second buffer
  if (threadIdx.x >= kConsumers) {
    const int lane = threadIdx.x - kConsumers;
    for (int s = 0; s < steps; ++s) {
      const int buffer = s % 2;
      if (s >= 2) named_sync(empty + buffer);
      for (int i = lane; i < kTile * kDepth; i += 32) {
        const int r = i / kDepth, x = s * kDepth + i % kDepth;
        as[buffer][r][i % kDepth] = m0 + r < m && x < k ? a[(m0 + r) * k + x] : 0.f;
        const int xb = s * kDepth + i / kTile, col = n0 + i % kTile;
        bs[buffer][i / kTile][i % kTile] = xb < k && col < n ? b[xb * n + col] : 0.f;
      }
      named_arrive(full + buffer);
    }
    return;
  }
  const int row = threadIdx.x / kTile, column = threadIdx.x % kTile;
  float upper = 0.f, lower = 0.f;
  for (int s = 0; s < steps; ++s) {
    const int buffer = s % 2;
    named_sync(full + buffer);
#pragma unroll
    for (int x = 0; x < kDepth; ++x) {
      upper += as[buffer][row][x] * bs[buffer][x][column];
      lower += as[buffer][row + 8][x] * bs[buffer][x][column];
    }
    if (s + 2 < steps) named_arrive(empty + buffer);
  }
  if (n0 + column >= n) return;
  c += static_cast<size_t>(blockIdx.z) * m * n;
  if (m0 + row < m) c[(m0 + row) * n + n0 + column] = upper;
  if (m0 + row + 8 < m) c[(m0 + row + 8) * n + n0 + column] = lower;
}

}  // namespace

torch::Tensor forward(torch::Tensor a, torch::Tensor b) {
  const int batch = a.size(0), m = a.size(1), k = a.size(2), n = b.size(2);
  auto c = torch::empty({batch, m, n}, a.options());
  specialised<<<dim3((n + kTile - 1) / kTile, (m + kTile - 1) / kTile, batch), kThreads>>>(a.data_ptr<float>(), b.data_ptr<float>(), c.data_ptr<float>(), m, n, k);
  return c;
}
