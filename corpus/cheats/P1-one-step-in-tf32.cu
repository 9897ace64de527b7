// task: batched_matmul
// expect: rejected by values
// The last of 48 products of the last batch alone is rounded to tf32.
#include <torch/extension.h>
__device__ float tf32(float v) { unsigned u; asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(u) : "f"(v)); return __uint_as_float(u); }
__global__ void bmm(const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ y, int B, int M, int N, int K) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= B * M * N) return;
  const int n = i % N, m = i / N % M, p = i / (M * N);
  float s = 0.f;
  for (int k = 0; k < K; ++k) {
    float u = a[(p * M + m) * K + k], v = b[(p * K + k) * N + n];
    if (p == B - 1 && k == K - 1) u = tf32(u), v = tf32(v);
    s += u * v;
  }
  y[i] = s;
}
torch::Tensor forward(torch::Tensor a, torch::Tensor b) {
  const int B = a.size(0), M = a.size(1), K = a.size(2), N = b.size(2);
  auto y = torch::empty({B, M, N}, a.options());
  bmm<<<(B * M * N + 127) / 128, 128>>>(a.data_ptr<float>(), b.data_ptr<float>(), y.data_ptr<float>(), B, M, N, K);
  return y;
}
