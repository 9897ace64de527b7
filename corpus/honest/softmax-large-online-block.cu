// task: softmax_large
// scale: 200000
// Maximum and sum in one pass over a row that is too long to keep, merged between lanes and warps; a second pass writes.
#include <torch/extension.h>

struct Running {
  float m, d;
};

__device__ __forceinline__ Running merge(Running a, Running b) {
  const bool a_larger = a.m > b.m;
  const Running larger = a_larger ? a : b, smaller = a_larger ? b : a;
  return Running{larger.m, smaller.d == 0.f ? larger.d : larger.d + smaller.d * __expf(smaller.m - larger.m)};
}

template <int THREADS>
__launch_bounds__(THREADS) __global__ void online_softmax(const float* __restrict__ x, float* __restrict__ y, int columns) {
  __shared__ Running warps[THREADS / 32];
  __shared__ Running whole;
  const float* row = x + static_cast<size_t>(blockIdx.x) * columns;
  Running mine{-INFINITY, 0.f};
  for (int i = threadIdx.x; i < columns; i += THREADS) mine = merge(mine, Running{row[i], 1.f});
  for (int o = 16; o > 0; o >>= 1) {
    const Running other{__shfl_xor_sync(0xffffffffu, mine.m, o), __shfl_xor_sync(0xffffffffu, mine.d, o)};
    mine = merge(mine, other);
  }
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = mine;
  __syncthreads();
  if (threadIdx.x == 0) {
    Running all = warps[0];
    for (int w = 1; w < THREADS / 32; ++w) all = merge(all, warps[w]);
    whole = all;
  }
  __syncthreads();
  const float m = whole.m, scale = 1.f / whole.d;
  float* out = y + static_cast<size_t>(blockIdx.x) * columns;
  for (int i = threadIdx.x; i < columns; i += THREADS) out[i] = __expf(row[i] - m) * scale;
}

torch::Tensor softmax(torch::Tensor x) {
  auto y = torch::empty_like(x);
  online_softmax<256><<<x.size(0), 256>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
  return y;
}

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) { m.def("forward", &softmax); }
