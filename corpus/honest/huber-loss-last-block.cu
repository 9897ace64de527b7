// task: huber_loss
// Branch-free smooth L1; a fence and a counter kept in a workspace that the host zeroes; the last block adds partials in order.
#include <torch/extension.h>
#include <c10/cuda/CUDAStream.h>

namespace {

__device__ __forceinline__ float smooth_l1(float d) {
  const float a = fabsf(d), inside = fminf(a, 1.0f);
  return inside * (a - 0.5f * inside);
}

// Followed in memory by one partial sum a block.
struct Workspace {
  unsigned int arrived;
};

template <unsigned BLOCK>
__global__ void huber(const float* __restrict__ x, const float* __restrict__ y, Workspace* ws, float* __restrict__ out, unsigned n) {
  __shared__ float sums[BLOCK];
  __shared__ unsigned rank;
  float* partial = reinterpret_cast<float*>(ws + 1);
  float s = 0.0f;
  for (unsigned i = blockIdx.x * BLOCK + threadIdx.x; i < n; i += gridDim.x * BLOCK) s += smooth_l1(x[i] - y[i]);
  sums[threadIdx.x] = s;
  __syncthreads();
#pragma unroll
  for (unsigned w = BLOCK >> 1; w; w >>= 1) {
    if (threadIdx.x < w) sums[threadIdx.x] += sums[threadIdx.x + w];
    __syncthreads();
  }
  if (threadIdx.x == 0) {
    atomicExch(&partial[blockIdx.x], sums[0]);
    __threadfence();
    rank = atomicAdd(&ws->arrived, 1u);
  }
  __syncthreads();
  if (rank + 1 == gridDim.x && threadIdx.x == 0) {
    __threadfence();
    s = 0.0f;
    for (unsigned b = 0; b < gridDim.x; ++b) s += __ldcg(&partial[b]);
    *out = s / static_cast<float>(n);
  }
}

}  // namespace

torch::Tensor forward(torch::Tensor x, torch::Tensor y) {
  const unsigned n = x.numel();
  constexpr unsigned BLOCK = 128, GRID = 40;
  const int64_t bytes = sizeof(Workspace) + GRID * sizeof(float);
  auto raw = torch::zeros({bytes}, x.options().dtype(torch::kUInt8));
  auto out = torch::empty({}, x.options());
  huber<BLOCK><<<GRID, BLOCK, 0, c10::cuda::getCurrentCUDAStream()>>>(
      x.data_ptr<float>(), y.data_ptr<float>(), reinterpret_cast<Workspace*>(raw.data_ptr<uint8_t>()), out.data_ptr<float>(), n);
  return out;
}
