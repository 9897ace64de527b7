// task: matmul_odd
// A warp a row and 32 columns; rows of A are read as float4 between a head up to the next multiple of 16 bytes and a tail, through shared memory.
#include <torch/extension.h>
#include <cstdint>

constexpr int kWarps = 4;
constexpr int kMaxK = 512;

__global__ void __launch_bounds__(kWarps * 32) row_times_matrix(const float* __restrict__ a, const float* __restrict__ b,
                                                                float* __restrict__ c, int m, int n, int k) {
  __shared__ float rows[kWarps][kMaxK];
  const int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
  const int row = blockIdx.y * kWarps + warp;
  if (row < m) {
    const float* from = a + static_cast<size_t>(row) * k;
    float* to = rows[warp];
    const int misaligned = static_cast<int>((reinterpret_cast<uintptr_t>(from) & 15) / sizeof(float));
    const int head = min(k, (4 - misaligned) & 3);
    const int quads = (k - head) / 4;
    if (lane < head) to[lane] = from[lane];
    const float4* middle = reinterpret_cast<const float4*>(from + head);
    for (int i = lane; i < quads; i += 32) {
      const float4 v = __ldg(middle + i);
      float* p = to + head + 4 * i;
      p[0] = v.x; p[1] = v.y; p[2] = v.z; p[3] = v.w;
    }
    for (int i = head + 4 * quads + lane; i < k; i += 32) to[i] = from[i];
  }
  __syncwarp();
  const int column = blockIdx.x * 32 + lane;
  if (row >= m || column >= n) return;
  float sum = 0.f;
  for (int i = 0; i < k; ++i) sum = fmaf(rows[warp][i], b[static_cast<size_t>(i) * n + column], sum);
  c[static_cast<size_t>(row) * n + column] = sum;
}

torch::Tensor forward(torch::Tensor a, torch::Tensor b) {
  const int m = a.size(0), k = a.size(1), n = b.size(1);
  TORCH_CHECK(k <= kMaxK, "rows longer than ", kMaxK, " do not fit into shared memory");
  auto c = torch::empty({m, n}, a.options());
  const dim3 grid((n + 31) / 32, (m + kWarps - 1) / kWarps);
  row_times_matrix<<<grid, kWarps * 32>>>(a.data_ptr<float>(), b.data_ptr<float>(), c.data_ptr<float>(), m, n, k);
  return c;
}
