// task: linear_softmax
// Logits into a workspace by a tiled product, then one warp a row that reads them twice.
#include <torch/extension.h>
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAGuard.h>

namespace {

constexpr int kTile = 16;

__global__ void logits_kernel(const float* __restrict__ x, const float* __restrict__ w, const float* __restrict__ b, float* __restrict__ z,
                              int rows, int outputs, int features) {
  __shared__ float xs[kTile][kTile + 1];
  __shared__ float ws[kTile][kTile + 1];
  const int row = blockIdx.y * kTile + threadIdx.y;
  const int out = blockIdx.x * kTile + threadIdx.x;
  const int w_row = blockIdx.x * kTile + threadIdx.y;
  float acc = out < outputs ? __ldg(b + out) : 0.f;
  for (int f0 = 0; f0 < features; f0 += kTile) {
    const int f = f0 + threadIdx.x;
    xs[threadIdx.y][threadIdx.x] = row < rows && f < features ? x[row * features + f] : 0.f;
    ws[threadIdx.x][threadIdx.y] = w_row < outputs && f < features ? w[w_row * features + f] : 0.f;
    __syncthreads();
    for (int i = 0; i < kTile; ++i) acc = fmaf(xs[threadIdx.y][i], ws[i][threadIdx.x], acc);
    __syncthreads();
  }
  if (row < rows && out < outputs) z[row * outputs + out] = acc;
}

__global__ void softmax_rows(const float* __restrict__ z, float* __restrict__ y, int rows, int outputs) {
  const int row = blockIdx.x * blockDim.y + threadIdx.y;
  if (row >= rows) return;
  float m = -INFINITY, d = 0.f;
  for (int i = threadIdx.x; i < outputs; i += 32) {
    const float v = z[row * outputs + i];
    const float larger = fmaxf(m, v);
    d = d * __expf(m - larger) + __expf(v - larger);
    m = larger;
  }
  const float all = [&] {
    float r = m;
    for (int o = 16; o > 0; o >>= 1) r = fmaxf(r, __shfl_xor_sync(0xffffffff, r, o));
    return r;
  }();
  d = m == -INFINITY ? 0.f : d * __expf(m - all);
  for (int o = 16; o > 0; o >>= 1) d += __shfl_xor_sync(0xffffffff, d, o);
  const float scale = 1.f / d;
  for (int i = threadIdx.x; i < outputs; i += 32) y[row * outputs + i] = __expf(z[row * outputs + i] - all) * scale;
}

}  // namespace

torch::Tensor linear_softmax(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias) {
  const at::cuda::OptionalCUDAGuard guard(x.device());
  auto stream = at::cuda::getCurrentCUDAStream();
  const int rows = x.size(0), features = x.size(1), outputs = weight.size(0);
  auto z = torch::empty({rows, outputs}, x.options());
  auto y = torch::empty_like(z);
  logits_kernel<<<dim3((outputs + kTile - 1) / kTile, (rows + kTile - 1) / kTile), dim3(kTile, kTile), 0, stream>>>(
      x.data_ptr<float>(), weight.data_ptr<float>(), bias.data_ptr<float>(), z.data_ptr<float>(), rows, outputs, features);
  softmax_rows<<<(rows + 3) / 4, dim3(32, 4), 0, stream>>>(z.data_ptr<float>(), y.data_ptr<float>(), rows, outputs);
  return y;
}

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) { m.def("forward", &linear_softmax, "softmax(x W^T + b)"); }
