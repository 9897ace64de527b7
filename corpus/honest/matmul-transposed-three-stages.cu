// task: matmul_transposed
// Three stages of 16-byte asynchronous copies with zero-fill beyond the edges, 4x4 outputs a thread.
#include <torch/extension.h>
#include <cuda_pipeline_primitives.h>

namespace {

constexpr int kBlockM = 32, kBlockN = 32, kBlockK = 16, kStages = 3, kThreads = 64;

struct Stage {
  float a[kBlockK][kBlockM];      // a piece of A^T as it lies in memory: k by m
  float b[kBlockN][kBlockK + 4];  // a piece of B^T as it lies in memory: n by k
};

__device__ void load(Stage& stage, const float* a, const float* b, int m0, int n0, int k0, int m, int n, int k) {
  for (int i = threadIdx.x; i < kBlockK * kBlockM / 4; i += kThreads) {
    const int row = i / (kBlockM / 4), column = i % (kBlockM / 4) * 4;
    const bool inside = k0 + row < k && m0 + column < m;
    const float* source = inside ? a + (k0 + row) * m + m0 + column : a;
    __pipeline_memcpy_async(&stage.a[row][column], source, 16, inside ? 0 : 16);
  }
  for (int i = threadIdx.x; i < kBlockN * kBlockK / 4; i += kThreads) {
    const int row = i / (kBlockK / 4), column = i % (kBlockK / 4) * 4;
    const bool inside = n0 + row < n && k0 + column < k;
    const float* source = inside ? b + (n0 + row) * k + k0 + column : b;
    __pipeline_memcpy_async(&stage.b[row][column], source, 16, inside ? 0 : 16);
  }
}

__global__ void __launch_bounds__(kThreads) staged_matmul(const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ c, int m, int n, int k) {
  __shared__ alignas(16) Stage stages[kStages];
  const int m0 = blockIdx.y * kBlockM, n0 = blockIdx.x * kBlockN;
  const int tm = threadIdx.x / 8 * 4, tn = threadIdx.x % 8 * 4;
  const int steps = (k + kBlockK - 1) / kBlockK;
  float acc[4][4] = {};
  for (int s = 0; s < kStages - 1; ++s) {
    if (s < steps) load(stages[s], a, b, m0, n0, s * kBlockK, m, n, k);
    __pipeline_commit();
  }
  for (int s = 0; s < steps; ++s) {
    __pipeline_wait_prior(kStages - 2);
    __syncthreads();
    const int ahead = s + kStages - 1;
    if (ahead < steps) load(stages[ahead % kStages], a, b, m0, n0, ahead * kBlockK, m, n, k);
    __pipeline_commit();
    const Stage& now = stages[s % kStages];
#pragma unroll
    for (int x = 0; x < kBlockK; ++x) {
      const float4 av = *reinterpret_cast<const float4*>(&now.a[x][tm]);
      const float am[4] = {av.x, av.y, av.z, av.w};
      float bn[4];
      for (int j = 0; j < 4; ++j) bn[j] = now.b[tn + j][x];
      for (int i = 0; i < 4; ++i)
        for (int j = 0; j < 4; ++j) acc[i][j] += am[i] * bn[j];
    }
  }
  for (int i = 0; i < 4; ++i)
    if (m0 + tm + i < m && n0 + tn < n)
      *reinterpret_cast<float4*>(c + (m0 + tm + i) * n + n0 + tn) = make_float4(acc[i][0], acc[i][1], acc[i][2], acc[i][3]);
}

}  // namespace

torch::Tensor forward(torch::Tensor a, torch::Tensor b) {
  const int k = a.size(0), m = a.size(1), n = b.size(0);
  TORCH_CHECK(m % 4 == 0 && n % 4 == 0 && k % 4 == 0, "sizes must be multiples of four");
  auto c = torch::empty({m, n}, a.options());
  staged_matmul<<<dim3((n + kBlockN - 1) / kBlockN, (m + kBlockM - 1) / kBlockM), kThreads>>>(a.data_ptr<float>(), b.data_ptr<float>(), c.data_ptr<float>(), m, n, k);
  return c;
}
