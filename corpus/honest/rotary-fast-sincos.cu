// task: rotary
// A thread a pair, with the fast sine and cosine of the hardware, as kernels for inference have it: angles lie between 0 and 6.
#include <torch/extension.h>

__global__ void rotate(const float* __restrict__ x, const float* __restrict__ angles, float* __restrict__ y, int pairs, int T, int half) {
  const int j = blockIdx.x * blockDim.x + threadIdx.x;
  if (j >= pairs) return;
  const int i = j % half, t = j / half % T;
  const int at = j / half * 2 * half + i;
  float s, c;
  __sincosf(angles[t * half + i], &s, &c);
  const float a = x[at], b = x[at + half];
  y[at] = a * c - b * s;
  y[at + half] = b * c + a * s;
}

torch::Tensor forward(torch::Tensor x, torch::Tensor angles) {
  auto y = torch::empty_like(x);
  const int pairs = x.numel() / 2;
  rotate<<<(pairs + 127) / 128, 128>>>(x.data_ptr<float>(), angles.data_ptr<float>(), y.data_ptr<float>(), pairs, x.size(1), x.size(2) / 2);
  return y;
}
