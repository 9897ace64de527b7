// task: rotary
// sincosf once for all heads: angles' tables in shared memory, heads in a loop.
#include <torch/extension.h>
#include <tuple>

__global__ void rotate(const float* __restrict__ x, const float* __restrict__ angles, float* __restrict__ y, int heads, int T, int half) {
  extern __shared__ float2 table[];
  const int t = blockIdx.x;
  for (int i = threadIdx.x; i < half; i += blockDim.x) {
    float2 cs;
    sincosf(angles[t * half + i], &cs.y, &cs.x);
    table[i] = cs;
  }
  __syncthreads();
  for (int j = threadIdx.x; j < heads * half; j += blockDim.x) {
    const int h = j / half, i = j - h * half;
    const size_t at = (static_cast<size_t>(h) * T + t) * 2 * half + i;
    const float a = x[at], b = x[at + half];
    const float2 cs = table[i];
    y[at] = a * cs.x - b * cs.y;
    y[at + half] = fmaf(b, cs.x, a * cs.y);
  }
}

torch::Tensor forward(torch::Tensor x, torch::Tensor angles) {
  auto y = torch::empty_like(x);
  const int heads = x.size(0), T = x.size(1), half = x.size(2) / 2;
  rotate<<<T, 96, half * sizeof(float2)>>>(x.data_ptr<float>(), angles.data_ptr<float>(), y.data_ptr<float>(), heads, T, half);
  return y;
}
