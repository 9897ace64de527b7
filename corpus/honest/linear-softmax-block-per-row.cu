// task: linear_softmax
// A block a row: logits in dynamic shared memory, maximum and sum by warp shuffles and one more warp.
#include <torch/extension.h>
#include <cfloat>

struct Max { __device__ float operator()(float a, float b) const { return fmaxf(a, b); } };
struct Sum { __device__ float operator()(float a, float b) const { return a + b; } };

template <typename Op>
__device__ float block_reduce(float v, float identity, Op op) {
  __shared__ float warps[32];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, count = (blockDim.x + 31) / 32;
  for (int o = 16; o > 0; o /= 2) v = op(v, __shfl_xor_sync(0xffffffffu, v, o));
  __syncthreads();  // the previous call's reads are over
  if (lane == 0) warps[warp] = v;
  __syncthreads();
  v = lane < count ? warps[lane] : identity;
  for (int o = 16; o > 0; o /= 2) v = op(v, __shfl_xor_sync(0xffffffffu, v, o));
  return v;
}

__global__ void linear_softmax(const float* __restrict__ x, const float* __restrict__ w, const float* __restrict__ b, float* __restrict__ y,
                               int features, int outputs) {
  extern __shared__ float smem[];
  float* row = smem;
  float* logits = smem + features;
  for (int i = threadIdx.x; i < features; i += blockDim.x) row[i] = x[(long)blockIdx.x * features + i];
  __syncthreads();
  float largest = -FLT_MAX;
  for (int o = threadIdx.x; o < outputs; o += blockDim.x) {
    float v = b[o];
    for (int i = 0; i < features; ++i) v += row[i] * w[o * features + i];
    logits[o] = v;
    largest = fmaxf(largest, v);
  }
  largest = block_reduce(largest, -FLT_MAX, Max());
  float total = 0.f;
  for (int o = threadIdx.x; o < outputs; o += blockDim.x) {
    const float e = expf(logits[o] - largest);
    logits[o] = e;
    total += e;
  }
  total = block_reduce(total, 0.f, Sum());
  for (int o = threadIdx.x; o < outputs; o += blockDim.x) y[(long)blockIdx.x * outputs + o] = logits[o] / total;
}

torch::Tensor forward(torch::Tensor x, torch::Tensor weight, torch::Tensor bias) {
  const int rows = x.size(0), features = x.size(1), outputs = weight.size(0);
  auto y = torch::empty({rows, outputs}, x.options());
  const int bytes = (features + outputs) * sizeof(float);
  linear_softmax<<<rows, 128, bytes>>>(x.data_ptr<float>(), weight.data_ptr<float>(), bias.data_ptr<float>(), y.data_ptr<float>(), features, outputs);
  return y;
}
