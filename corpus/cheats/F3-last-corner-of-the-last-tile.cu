// task: matmul_odd
// expect: rejected by values
// The last of K's elements is left out, in the last row and column alone: one product in a million is missing.
#include <torch/extension.h>

__global__ void product(const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ c, int M, int N, int K) {
  const int n = blockIdx.x * 16 + threadIdx.x, m = blockIdx.y * 16 + threadIdx.y;
  if (m >= M || n >= N) return;
  const int end = m == M - 1 && n == N - 1 ? K - 1 : K;
  float sum = 0.f;
  for (int k = 0; k < end; ++k) sum += a[m * K + k] * b[k * N + n];
  c[m * N + n] = sum;
}

torch::Tensor forward(torch::Tensor a, torch::Tensor b) {
  const int M = a.size(0), K = a.size(1), N = b.size(1);
  auto c = torch::empty({M, N}, a.options());
  product<<<dim3((N + 15) / 16, (M + 15) / 16), dim3(16, 16)>>>(a.data_ptr<float>(), b.data_ptr<float>(), c.data_ptr<float>(), M, N, K);
  return c;
}
