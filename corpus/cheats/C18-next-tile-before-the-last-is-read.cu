// task: matmul_odd
// expect: rejected by device-findings
// The barrier at a tile's end is left out in every fourth round alone.
#include <torch/extension.h>
__global__ void matmul(const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ y, int M, int N, int K) {
  __shared__ float s[16][17], t[16][17];
  const int r = blockIdx.y * 16 + threadIdx.y, c = blockIdx.x * 16 + threadIdx.x;
  float acc = 0.f;
  for (int k = 0; k < K; k += 16) {
    s[threadIdx.y][threadIdx.x] = r < M && k + threadIdx.x < K ? a[r * K + k + threadIdx.x] : 0.f;
    t[threadIdx.y][threadIdx.x] = c < N && k + threadIdx.y < K ? b[(k + threadIdx.y) * N + c] : 0.f;
    __syncthreads();
    for (int i = 0; i < 16; ++i) acc += s[threadIdx.y][i] * t[i][threadIdx.x];
    if (k % 64 != 48) __syncthreads();
  }
  if (r < M && c < N) y[r * N + c] = acc;
}
torch::Tensor forward(torch::Tensor a, torch::Tensor b) {
  const int M = a.size(0), K = a.size(1), N = b.size(1);
  auto y = torch::empty({M, N}, a.options());
  matmul<<<dim3((N + 15) / 16, (M + 15) / 16), dim3(16, 16)>>>(a.data_ptr<float>(), b.data_ptr<float>(), y.data_ptr<float>(), M, N, K);
  return y;
}
