// task: layernorm
// direction: backward
// scale: 100000
// One warp a row for the gradient of x, which keeps mean and scale; the gradients of weight and bias from partial sums of stripes of rows, then a last kernel.
#include <torch/extension.h>
#include <vector>

namespace {

__device__ __forceinline__ float warp_sum(float v) {
  for (int o = 16; o > 0; o >>= 1) v += __shfl_xor_sync(0xffffffff, v, o);
  return v;
}

__global__ void input_gradient(const float* __restrict__ dy, const float* __restrict__ x, const float* __restrict__ w, float* __restrict__ dx,
                               float* __restrict__ mean, float* __restrict__ rstd, int rows, int n, float eps) {
  const int row = blockIdx.x * blockDim.y + threadIdx.y, lane = threadIdx.x;
  if (row >= rows) return;
  const float* xr = x + (size_t)row * n;
  const float* gr = dy + (size_t)row * n;
  float s = 0.f;
  for (int i = lane; i < n; i += 32) s += xr[i];
  const float mu = warp_sum(s) / n;
  s = 0.f;
  for (int i = lane; i < n; i += 32) s += (xr[i] - mu) * (xr[i] - mu);
  const float scale = rsqrtf(warp_sum(s) / n + eps);
  float a = 0.f, b = 0.f;
  for (int i = lane; i < n; i += 32) {
    const float g = gr[i] * w[i];
    a += g;
    b += g * (xr[i] - mu) * scale;
  }
  a = warp_sum(a) / n;
  b = warp_sum(b) / n;
  for (int i = lane; i < n; i += 32) dx[(size_t)row * n + i] = scale * (gr[i] * w[i] - a - (xr[i] - mu) * scale * b);
  if (lane == 0) {
    mean[row] = mu;
    rstd[row] = scale;
  }
}

__global__ void partial_parameters(const float* __restrict__ dy, const float* __restrict__ x, const float* __restrict__ mean,
                                   const float* __restrict__ rstd, float* __restrict__ partial, int rows, int n) {
  const int column = blockIdx.x * blockDim.x + threadIdx.x;
  if (column >= n) return;
  float dw = 0.f, db = 0.f;
  for (int row = blockIdx.y; row < rows; row += gridDim.y) {
    const float g = dy[(size_t)row * n + column];
    dw += g * (x[(size_t)row * n + column] - mean[row]) * rstd[row];
    db += g;
  }
  partial[(size_t)(2 * blockIdx.y) * n + column] = dw;
  partial[(size_t)(2 * blockIdx.y + 1) * n + column] = db;
}

__global__ void add_partials(const float* __restrict__ partial, float* __restrict__ dw, float* __restrict__ db, int stripes, int n) {
  const int column = blockIdx.x * blockDim.x + threadIdx.x;
  if (column >= n) return;
  float a = 0.f, b = 0.f;
  for (int s = 0; s < stripes; ++s) {
    a += partial[(size_t)(2 * s) * n + column];
    b += partial[(size_t)(2 * s + 1) * n + column];
  }
  dw[column] = a;
  db[column] = b;
}

}  // namespace

std::vector<torch::Tensor> backward(torch::Tensor grad_output, torch::Tensor x, torch::Tensor weight, torch::Tensor bias, double eps) {
  const int rows = x.size(0), n = x.size(1), stripes = 16;
  auto dx = torch::empty_like(x), dw = torch::empty_like(weight), db = torch::empty_like(bias);
  auto mean = torch::empty({rows}, x.options()), rstd = torch::empty({rows}, x.options());
  auto partial = torch::empty({2 * stripes, n}, x.options());
  input_gradient<<<(rows + 3) / 4, dim3(32, 4)>>>(grad_output.data_ptr<float>(), x.data_ptr<float>(), weight.data_ptr<float>(), dx.data_ptr<float>(),
                                                  mean.data_ptr<float>(), rstd.data_ptr<float>(), rows, n, static_cast<float>(eps));
  partial_parameters<<<dim3((n + 127) / 128, stripes), 128>>>(grad_output.data_ptr<float>(), x.data_ptr<float>(), mean.data_ptr<float>(),
                                                              rstd.data_ptr<float>(), partial.data_ptr<float>(), rows, n);
  add_partials<<<(n + 127) / 128, 128>>>(partial.data_ptr<float>(), dw.data_ptr<float>(), db.data_ptr<float>(), stripes, n);
  return {dx, dw, db};
}
