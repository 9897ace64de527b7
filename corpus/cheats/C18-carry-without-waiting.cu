// task: cumsum
// expect: rejected
// A block takes the sum so far from its neighbour on the left, and never waits for it: right where blocks run one after the other.
#include <torch/extension.h>

constexpr int CHUNK = 128;

__global__ void scan(const float* __restrict__ x, float* __restrict__ y, float* __restrict__ carry, int cols, int chunks) {
  __shared__ float s[CHUNK];
  const int row = blockIdx.x / chunks, chunk = blockIdx.x % chunks, t = threadIdx.x, i = chunk * CHUNK + t;
  s[t] = i < cols ? x[row * cols + i] : 0.f;
  __syncthreads();
  for (int d = 1; d < CHUNK; d <<= 1) {
    const float left = t >= d ? s[t - d] : 0.f;
    __syncthreads();
    s[t] += left;
    __syncthreads();
  }
  const float before = chunk > 0 ? __ldcg(carry + blockIdx.x - 1) : 0.f;
  if (t == 0) {
    __stcg(carry + blockIdx.x, before + s[CHUNK - 1]);
    __threadfence();
  }
  if (i < cols) y[row * cols + i] = before + s[t];
}

torch::Tensor forward(torch::Tensor x) {
  const int rows = x.size(0), cols = x.size(1), chunks = (cols + CHUNK - 1) / CHUNK;
  auto y = torch::empty_like(x);
  auto carry = torch::empty({rows * chunks}, x.options());
  scan<<<rows * chunks, CHUNK>>>(x.data_ptr<float>(), y.data_ptr<float>(), carry.data_ptr<float>(), cols, chunks);
  return y;
}
