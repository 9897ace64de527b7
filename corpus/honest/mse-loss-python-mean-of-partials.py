# task: mse_loss
# The kernel leaves one partial sum a block; two scalars of Python finish: a second launch divides.
import torch
import torch.nn as nn
from torch.utils.cpp_extension import load_inline

source = r"""
#include <torch/extension.h>
#include <ATen/cuda/CUDAContext.h>

constexpr int kThreads = 128;

__inline__ __device__ float warpReduceSum(float val) {
  for (int offset = warpSize / 2; offset > 0; offset /= 2) val += __shfl_down_sync(0xffffffff, val, offset);
  return val;
}

__inline__ __device__ float blockReduceSum(float val) {
  static __shared__ float shared[32];
  int lane = threadIdx.x % warpSize;
  int wid = threadIdx.x / warpSize;
  val = warpReduceSum(val);
  if (lane == 0) shared[wid] = val;
  __syncthreads();
  val = (threadIdx.x < blockDim.x / warpSize) ? shared[lane] : 0;
  if (wid == 0) val = warpReduceSum(val);
  return val;
}

__global__ void squared_error(const float* __restrict__ x, const float* __restrict__ y, float* __restrict__ partial, int n) {
  float sum = 0;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += blockDim.x * gridDim.x) {
    const float d = __ldg(x + i) - __ldg(y + i);
    sum += d * d;
  }
  sum = blockReduceSum(sum);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

__global__ void scaled_total(const float* __restrict__ partial, float* __restrict__ out, int n, float scale) {
  float sum = 0;
  for (int i = threadIdx.x; i < n; i += blockDim.x) sum += partial[i];
  sum = blockReduceSum(sum);
  if (threadIdx.x == 0) out[0] = sum * scale;
}

torch::Tensor partials(torch::Tensor x, torch::Tensor y) {
  const int n = x.numel();
  const int blocks = std::min((n + kThreads - 1) / kThreads, 96);
  auto out = torch::empty({blocks}, x.options());
  squared_error<<<blocks, kThreads, 0, at::cuda::getCurrentCUDAStream()>>>(x.data_ptr<float>(), y.data_ptr<float>(), out.data_ptr<float>(), n);
  return out;
}

torch::Tensor total(torch::Tensor partial, double scale) {
  auto out = torch::empty({}, partial.options());
  scaled_total<<<1, kThreads, 0, at::cuda::getCurrentCUDAStream()>>>(partial.data_ptr<float>(), out.data_ptr<float>(), partial.numel(), static_cast<float>(scale));
  return out;
}
"""

declarations = """
torch::Tensor partials(torch::Tensor x, torch::Tensor y);
torch::Tensor total(torch::Tensor partial, double scale);
"""


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.ops = load_inline(name="mse_parts", cpp_sources=declarations, cuda_sources=source, functions=["partials", "total"])

    def forward(self, x, y):
        return self.ops.total(self.ops.partials(x, y), 1.0 / x.numel())
