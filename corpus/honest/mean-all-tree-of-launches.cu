// task: mean_all
// A while loop on the host: each launch leaves one number for 1024, ping-pong between two workspaces, the last launch scales.
#include <torch/extension.h>
#include <utility>

template <int BLOCK, int ITEMS>
__global__ void reduce_level(const float* __restrict__ in, float* __restrict__ out, int n, float scale) {
  __shared__ float s[BLOCK];
  float v = 0.0f;
#pragma unroll
  for (int k = 0; k < ITEMS; ++k) {
    const int i = (blockIdx.x * ITEMS + k) * BLOCK + threadIdx.x;
    if (i < n) v += in[i];
  }
  s[threadIdx.x] = v;
  __syncthreads();
#pragma unroll
  for (int w = BLOCK / 2; w >= 32; w >>= 1) {
    if (threadIdx.x < w) s[threadIdx.x] += s[threadIdx.x + w];
    __syncthreads();
  }
  if (threadIdx.x < 32) {
    v = s[threadIdx.x];
    for (int w = 16; w > 0; w >>= 1) v += __shfl_down_sync(0xffffffffu, v, w);
    if (threadIdx.x == 0) out[blockIdx.x] = v * scale;
  }
}

torch::Tensor mean(torch::Tensor x) {
  constexpr int BLOCK = 256, ITEMS = 4, PER = BLOCK * ITEMS;
  int n = static_cast<int>(x.numel());
  const float scale = 1.0f / static_cast<float>(n);
  int blocks = (n + PER - 1) / PER;
  torch::Tensor a = torch::empty({blocks}, x.options());
  torch::Tensor b = torch::empty({(blocks + PER - 1) / PER}, x.options());
  torch::Tensor result = torch::empty({}, x.options());
  const float* in = x.data_ptr<float>();
  float* out = a.data_ptr<float>();
  float* other = b.data_ptr<float>();
  while (blocks > 1) {
    reduce_level<BLOCK, ITEMS><<<blocks, BLOCK>>>(in, out, n, 1.0f);
    n = blocks;
    blocks = (n + PER - 1) / PER;
    in = out;
    std::swap(out, other);
  }
  reduce_level<BLOCK, ITEMS><<<1, BLOCK>>>(in, result.data_ptr<float>(), n, scale);
  return result;
}

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) { m.def("mean", &mean, "mean of all elements"); }
