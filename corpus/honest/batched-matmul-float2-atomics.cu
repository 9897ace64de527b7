// task: batched_matmul
// Two halves of the depth add to one result with float2 atomics (compute capability 9) on memory that was set to zero.
#include <torch/extension.h>
__global__ void bmm(const float* __restrict__ a, const float* __restrict__ b, float2* __restrict__ y, int B, int M, int N, int K) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x, half = N / 2;
  if (i >= B * M * half) return;
  const int n = i % half * 2, m = i / half % M, p = i / (M * half);
  const int from = blockIdx.y * K / 2, to = from + K / 2;
  float2 s = make_float2(0.f, 0.f);
  for (int k = from; k < to; ++k) {
    const float u = __ldg(a + (p * M + m) * K + k);
    const float2 v = *reinterpret_cast<const float2*>(b + (p * K + k) * N + n);
    s.x = fmaf(u, v.x, s.x);
    s.y = fmaf(u, v.y, s.y);
  }
  atomicAdd(y + i, s);
}
torch::Tensor forward(torch::Tensor a, torch::Tensor b) {
  const int B = a.size(0), M = a.size(1), K = a.size(2), N = b.size(2);
  auto y = torch::zeros({B, M, N}, a.options());
  bmm<<<dim3((B * M * N / 2 + 127) / 128, 2), 128>>>(a.data_ptr<float>(), b.data_ptr<float>(), reinterpret_cast<float2*>(y.data_ptr<float>()), B, M, N, K);
  return y;
}
