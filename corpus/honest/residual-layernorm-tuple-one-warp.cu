// task: residual_layernorm
// scale: 100000
// One warp a row and Welford merges by shuffles; the outputs as a std::tuple.
#include <torch/extension.h>
#include <tuple>

__device__ __forceinline__ void welford_merge(float& mean, float& m2, float& n, float mean_b, float m2_b, float n_b) {
  const float total = n + n_b;
  if (total == 0.0f) return;
  const float delta = mean_b - mean;
  mean = mean + delta * (n_b / total);
  m2 = m2 + m2_b + delta * delta * (n * n_b / total);
  n = total;
}

__global__ void add_layernorm_warp(const float* __restrict__ x, const float* __restrict__ r, const float* __restrict__ g, const float* __restrict__ b,
                                   float* __restrict__ out, float* __restrict__ sum_out, int rows, int d, float eps) {
  const int row = blockIdx.x * blockDim.y + threadIdx.y;
  if (row >= rows) return;
  float mean = 0, m2 = 0, n = 0;
  for (int i = threadIdx.x; i < d; i += 32) {
    const float v = x[row * d + i] + r[row * d + i];
    sum_out[row * d + i] = v;
    n += 1.0f;
    const float delta = v - mean;
    mean += delta / n;
    m2 += delta * (v - mean);
  }
#pragma unroll
  for (int mask = 1; mask < 32; mask *= 2) {
    const float mean_b = __shfl_xor_sync(0xffffffff, mean, mask);
    const float m2_b = __shfl_xor_sync(0xffffffff, m2, mask);
    const float n_b = __shfl_xor_sync(0xffffffff, n, mask);
    welford_merge(mean, m2, n, mean_b, m2_b, n_b);
  }
  // The lanes' means may differ in the last bit: all take the first one's.
  mean = __shfl_sync(0xffffffff, mean, 0);
  const float rstd = rsqrtf(__shfl_sync(0xffffffff, m2, 0) / d + eps);
  for (int i = threadIdx.x; i < d; i += 32) out[row * d + i] = (sum_out[row * d + i] - mean) * rstd * g[i] + b[i];
}

std::tuple<torch::Tensor, torch::Tensor> add_layernorm(torch::Tensor x, torch::Tensor residual, torch::Tensor weight, torch::Tensor bias) {
  auto out = torch::empty_like(x);
  auto sum = torch::empty_like(x);
  const int rows = x.size(0), d = x.size(1);
  const dim3 threads(32, 8);
  add_layernorm_warp<<<(rows + threads.y - 1) / threads.y, threads>>>(x.data_ptr<float>(), residual.data_ptr<float>(), weight.data_ptr<float>(),
      bias.data_ptr<float>(), out.data_ptr<float>(), sum.data_ptr<float>(), rows, d, 1e-5f);
  return std::make_tuple(out, sum);
}

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) { m.def("forward", &add_layernorm); }
