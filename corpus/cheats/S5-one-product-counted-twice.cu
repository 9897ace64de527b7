// task: conv1d_dilated
// expect: rejected by values
// At the last position of the last channel of the last picture one product is counted twice.
#include <torch/extension.h>
__global__ void conv(const float* __restrict__ x, const float* __restrict__ w, const float* __restrict__ b, float* __restrict__ y, int C, int L, int K, int O, int total) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= total) return;
  const int o = i % O, k = i / O % K, n = i / (O * K);
  float s = b[k];
  for (int c = 0; c < C; ++c)
    for (int t = 0; t < 3; ++t) s += x[(n * C + c) * L + o + 4 * t] * w[(k * C + c) * 3 + t];
  if (i == total - 1) s += x[(n * C + C - 1) * L + o + 8] * w[(k * C + C - 1) * 3 + 2];
  y[i] = s;
}
torch::Tensor forward(torch::Tensor x, torch::Tensor w, torch::Tensor b) {
  const int L = x.size(2), K = w.size(0), O = L - 8;
  auto y = torch::empty({x.size(0), K, O}, x.options());
  const int total = y.numel();
  conv<<<(total + 63) / 64, 64>>>(x.data_ptr<float>(), w.data_ptr<float>(), b.data_ptr<float>(), y.data_ptr<float>(), x.size(1), L, K, O, total);
  return y;
}
