// task: row_logsumexp
// Warps share a row's columns; each keeps a running maximum and sum (online), and pairs (maximum, sum) are merged by shuffles, then through shared memory.
#include <torch/extension.h>
#include <ATen/cuda/CUDAContext.h>
#include <cfloat>

struct MaxSum { float m, s; };

__device__ __forceinline__ MaxSum merge(MaxSum a, MaxSum b) {
  const bool bigger = a.m > b.m;
  const MaxSum hi = bigger ? a : b, lo = bigger ? b : a;
  return {hi.m, hi.s + lo.s * __expf(lo.m - hi.m)};
}

template <int WARPS>
__global__ void __launch_bounds__(WARPS * 32) logsumexp_rows(const float* __restrict__ x, float* __restrict__ y, int cols) {
  __shared__ float ms[WARPS], ss[WARPS];
  const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  const float* row = x + size_t(blockIdx.x) * cols;
  MaxSum acc{-FLT_MAX, 0.f};
  for (int c = threadIdx.x; c < cols; c += WARPS * 32) acc = merge(acc, MaxSum{__ldg(row + c), 1.f});
#pragma unroll
  for (int o = 16; o; o >>= 1) {
    MaxSum other;
    other.m = __shfl_xor_sync(0xffffffff, acc.m, o);
    other.s = __shfl_xor_sync(0xffffffff, acc.s, o);
    acc = merge(acc, other);
  }
  if (lane == 0) { ms[warp] = acc.m; ss[warp] = acc.s; }
  __syncthreads();
  if (warp == 0) {
    acc = lane < WARPS ? MaxSum{ms[lane], ss[lane]} : MaxSum{-FLT_MAX, 0.f};
    for (int o = WARPS / 2; o; o >>= 1) {
      MaxSum other;
      other.m = __shfl_down_sync(0xffffffff, acc.m, o);
      other.s = __shfl_down_sync(0xffffffff, acc.s, o);
      acc = merge(acc, other);
    }
    if (lane == 0) y[blockIdx.x] = acc.m + logf(acc.s);
  }
}

torch::Tensor forward(torch::Tensor x) {
  TORCH_CHECK(x.dim() == 2 && x.is_contiguous(), "x must be a contiguous matrix");
  auto y = torch::empty({x.size(0)}, x.options());
  cudaStream_t stream = at::cuda::getCurrentCUDAStream();
  logsumexp_rows<4><<<x.size(0), 128, 0, stream>>>(x.data_ptr<float>(), y.data_ptr<float>(), (int)x.size(1));
  return y;
}
