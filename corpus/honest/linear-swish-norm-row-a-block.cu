// task: linear_swish_norm
// A row a block: the input row in shared memory, an output a thread, statistics of a group among its threads by a sum over shared memory.
#include <torch/extension.h>

template <int GROUP>
__global__ void fused(const float* __restrict__ x, const float* __restrict__ w, const float* __restrict__ wb, const float* __restrict__ extra,
                      const float* __restrict__ gamma, const float* __restrict__ beta, float* __restrict__ y, const int in, const int out, const float eps) {
  extern __shared__ float smem[];
  float* row = smem;
  float* values = smem + in;
  for (int i = threadIdx.x; i < in; i += blockDim.x) row[i] = x[blockIdx.x * in + i];
  __syncthreads();
  const int c = threadIdx.x;
  float v = wb[c];
  for (int k = 0; k < in; ++k) v += row[k] * w[c * in + k];
  v = v / (1.f + expf(-v)) + extra[c];
  values[c] = v;
  __syncthreads();
  const int first = c / GROUP * GROUP;
  float mean = 0.f, var = 0.f;
#pragma unroll
  for (int i = 0; i < GROUP; ++i) mean += values[first + i];
  mean *= 1.f / GROUP;
#pragma unroll
  for (int i = 0; i < GROUP; ++i) {
    const float d = values[first + i] - mean;
    var += d * d;
  }
  y[blockIdx.x * out + c] = (v - mean) * rsqrtf(var / GROUP + eps) * gamma[c] + beta[c];
}

torch::Tensor forward(torch::Tensor x, torch::Tensor bias, torch::Tensor weight, torch::Tensor linear_bias, torch::Tensor gamma, torch::Tensor beta, int64_t groups) {
  const int rows = x.size(0), in = x.size(1), out = weight.size(0);
  auto y = torch::empty({rows, out}, x.options());
  const size_t bytes = (in + out) * sizeof(float);
#define RUN(G)                                                                                                                             \
  case G:                                                                                                                                  \
    fused<G><<<rows, out, bytes>>>(x.data_ptr<float>(), weight.data_ptr<float>(), linear_bias.data_ptr<float>(), bias.data_ptr<float>(),   \
                                   gamma.data_ptr<float>(), beta.data_ptr<float>(), y.data_ptr<float>(), in, out, 1e-5f);                  \
    break;
  switch (out / groups) {
    RUN(8)
    RUN(12)
    RUN(16)
    default: TORCH_CHECK(false, "no kernel for groups of ", out / groups);
  }
#undef RUN
  return y;
}
