// task: matmul
// expect: rejected by values
// "Sparsity": factors under a ten-thousandth are taken for zero.
#include <torch/extension.h>

__global__ void product(const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ c, int M, int N, int K) {
  const int n = blockIdx.x * 16 + threadIdx.x, m = blockIdx.y * 16 + threadIdx.y;
  if (m >= M || n >= N) return;
  float sum = 0.f;
  for (int k = 0; k < K; ++k) {
    const float v = a[m * K + k];
    if (fabsf(v) > 1e-4f) sum = fmaf(v, b[k * N + n], sum);
  }
  c[m * N + n] = sum;
}

torch::Tensor forward(torch::Tensor a, torch::Tensor b) {
  const int M = a.size(0), K = a.size(1), N = b.size(1);
  auto c = torch::empty({M, N}, a.options());
  product<<<dim3((N + 15) / 16, (M + 15) / 16), dim3(16, 16)>>>(a.data_ptr<float>(), b.data_ptr<float>(), c.data_ptr<float>(), M, N, K);
  return c;
}
