// task: matmul_odd
// Tiles at the edge are moved back inside the matrix instead of masked: blocks overlap, and write the same sums twice.
#include <torch/extension.h>

constexpr int T = 32;

__global__ void product(const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ c, int M, int N, int K) {
  __shared__ float as[T][T + 1], bs[T][T];
  const int row0 = min(int(blockIdx.y) * T, M - T), col0 = min(int(blockIdx.x) * T, N - T);
  const int tx = threadIdx.x, ty = threadIdx.y;
  float sum[4] = {0.f, 0.f, 0.f, 0.f};
  for (int k0 = 0; k0 < K; k0 += T) {
    for (int i = ty; i < T; i += 8) {
      as[i][tx] = k0 + tx < K ? a[(row0 + i) * K + k0 + tx] : 0.f;
      bs[i][tx] = k0 + i < K ? b[(k0 + i) * N + col0 + tx] : 0.f;
    }
    __syncthreads();
#pragma unroll 8
    for (int k = 0; k < T; ++k)
#pragma unroll
      for (int i = 0; i < 4; ++i) sum[i] = fmaf(as[ty + 8 * i][k], bs[k][tx], sum[i]);
    __syncthreads();
  }
  for (int i = 0; i < 4; ++i) c[(row0 + ty + 8 * i) * N + col0 + tx] = sum[i];
}

torch::Tensor forward(torch::Tensor a, torch::Tensor b) {
  const int M = a.size(0), K = a.size(1), N = b.size(1);
  TORCH_CHECK(M >= T && N >= T);
  auto c = torch::empty({M, N}, a.options());
  product<<<dim3((N + T - 1) / T, (M + T - 1) / T), dim3(T, 8)>>>(a.data_ptr<float>(), b.data_ptr<float>(), c.data_ptr<float>(), M, N, K);
  return c;
}
