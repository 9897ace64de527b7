// task: matmul_transposed
// expect: rejected by device-findings
// Two stages of asynchronous copies; the last tile is read while its copy may still be under way, for the wait is always for all but the newest.
#include <torch/extension.h>
#include <cuda_pipeline.h>

constexpr int T = 16;

__global__ void product(const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ c, int M, int N, int K) {
  __shared__ float as[2][T][T], bs[2][T][T];
  const int tx = threadIdx.x, ty = threadIdx.y, m0 = blockIdx.y * T, n0 = blockIdx.x * T;
  auto fetch = [&](int stage, int k0) {
    __pipeline_memcpy_async(&as[stage][ty][tx], &a[(k0 + ty) * M + m0 + tx], 4);
    __pipeline_memcpy_async(&bs[stage][ty][tx], &b[(n0 + ty) * K + k0 + tx], 4);
    __pipeline_commit();
  };
  fetch(0, 0);
  float sum = 0.f;
  for (int k0 = 0, stage = 0; k0 < K; k0 += T, stage ^= 1) {
    if (k0 + T < K) fetch(stage ^ 1, k0 + T);
    __pipeline_wait_prior(1);
    __syncthreads();
    for (int k = 0; k < T; ++k) sum += as[stage][k][ty] * bs[stage][tx][k];
    __syncthreads();
  }
  c[(m0 + ty) * N + n0 + tx] = sum;
}

torch::Tensor forward(torch::Tensor a, torch::Tensor b) {
  const int K = a.size(0), M = a.size(1), N = b.size(0);
  auto c = torch::empty({M, N}, a.options());
  product<<<dim3(N / T, M / T), dim3(T, T)>>>(a.data_ptr<float>(), b.data_ptr<float>(), c.data_ptr<float>(), M, N, K);
  return c;
}
