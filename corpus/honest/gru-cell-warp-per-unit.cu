// task: gru_cell
// A warp a hidden unit of a row: six dot products at once, then the gates in every lane. tanh and the sigmoid by __expf.
#include <torch/extension.h>

__device__ __forceinline__ float sigmoid(float x) { return __fdividef(1.f, 1.f + __expf(-x)); }
__device__ __forceinline__ float tanh_fast(float x) { return 1.f - __fdividef(2.f, __expf(2.f * x) + 1.f); }

__device__ __forceinline__ float warp_sum(float v) {
#pragma unroll
  for (int o = 16; o; o >>= 1) v += __shfl_xor_sync(0xffffffff, v, o);
  return v;
}

__global__ void gru(const float* __restrict__ x, const float* __restrict__ h, const float* __restrict__ wi, const float* __restrict__ bi,
                    const float* __restrict__ wh, const float* __restrict__ bh, float* __restrict__ out, int in, int hidden) {
  const int unit = blockIdx.x * blockDim.y + threadIdx.y, row = blockIdx.y, lane = threadIdx.x;
  if (unit >= hidden) return;
  float gi[3] = {}, gh[3] = {};
  for (int k = lane; k < in; k += 32) {
    const float v = x[row * in + k];
    for (int g = 0; g < 3; ++g) gi[g] += v * wi[(g * hidden + unit) * in + k];
  }
  for (int k = lane; k < hidden; k += 32) {
    const float v = h[row * hidden + k];
    for (int g = 0; g < 3; ++g) gh[g] += v * wh[(g * hidden + unit) * hidden + k];
  }
  for (int g = 0; g < 3; ++g) {
    gi[g] = warp_sum(gi[g]) + bi[g * hidden + unit];
    gh[g] = warp_sum(gh[g]) + bh[g * hidden + unit];
  }
  const float r = sigmoid(gi[0] + gh[0]), z = sigmoid(gi[1] + gh[1]), n = tanh_fast(gi[2] + r * gh[2]);
  if (lane == 0) out[row * hidden + unit] = n + z * (h[row * hidden + unit] - n);
}

torch::Tensor forward(torch::Tensor x, torch::Tensor h, torch::Tensor wi, torch::Tensor bi, torch::Tensor wh, torch::Tensor bh) {
  const int rows = x.size(0), in = x.size(1), hidden = h.size(1);
  auto out = torch::empty_like(h);
  gru<<<dim3((hidden + 3) / 4, rows), dim3(32, 4)>>>(x.data_ptr<float>(), h.data_ptr<float>(), wi.data_ptr<float>(), bi.data_ptr<float>(),
                                                     wh.data_ptr<float>(), bh.data_ptr<float>(), out.data_ptr<float>(), in, hidden);
  return out;
}
