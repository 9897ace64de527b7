// task: matmul
// expect: rejected by device-findings
// Blocks of four slices of K add to the same elements with plain loads and stores. They lie 320 blocks apart, and run one after the other here.
#include <torch/extension.h>

__global__ void product(const float* __restrict__ a, const float* __restrict__ b, float* c, int M, int N, int K, int slice) {
  __shared__ float as[16][17], bs[16][16];
  const int tx = threadIdx.x, ty = threadIdx.y, m = blockIdx.y * 16 + ty, n = blockIdx.x * 16 + tx;
  float sum = 0.f;
  for (int k0 = blockIdx.z * slice; k0 < (blockIdx.z + 1) * slice; k0 += 16) {
    as[ty][tx] = a[m * K + k0 + tx];
    bs[ty][tx] = b[(k0 + ty) * N + n];
    __syncthreads();
    for (int k = 0; k < 16; ++k) sum += as[ty][k] * bs[k][tx];
    __syncthreads();
  }
  c[m * N + n] += sum;
}

torch::Tensor forward(torch::Tensor a, torch::Tensor b) {
  const int M = a.size(0), K = a.size(1), N = b.size(1);
  auto c = torch::zeros({M, N}, a.options());
  product<<<dim3(N / 16, M / 16, 4), dim3(16, 16)>>>(a.data_ptr<float>(), b.data_ptr<float>(), c.data_ptr<float>(), M, N, K, K / 4);
  return c;
}
