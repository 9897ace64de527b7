// task: layernorm
// scale: 100000
// TORCH_LIBRARY with a schema of names and defaults; sixteen lanes a row, segmented shuffles of width 16.
#include <torch/all.h>
#include <torch/library.h>
#include <c10/cuda/CUDAStream.h>

__global__ void ln16(const float* x, const float* w, const float* b, float* y, int rows, int cols, float eps) {
  const int sub = threadIdx.x % 16;
  const int row = blockIdx.x * (blockDim.x / 16) + threadIdx.x / 16;
  // Lanes of rows past the end stay for the shuffles and only do not store.
  const int r = min(row, rows - 1);
  float sum = 0;
  for (int c = sub; c < cols; c += 16) sum += x[r * cols + c];
  for (int d = 8; d; d >>= 1) sum += __shfl_xor_sync(0xffffffff, sum, d, 16);
  const float mu = sum / cols;
  float ss = 0;
  for (int c = sub; c < cols; c += 16) {
    const float t = x[r * cols + c] - mu;
    ss = fmaf(t, t, ss);
  }
  for (int d = 8; d; d >>= 1) ss += __shfl_xor_sync(0xffffffff, ss, d, 16);
  if (row >= rows) return;
  const float rs = 1.f / sqrtf(ss / cols + eps);
  for (int c = sub; c < cols; c += 16) y[row * cols + c] = (x[row * cols + c] - mu) * rs * w[c] + b[c];
}

torch::Tensor layer_norm(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias, double eps) {
  auto y = torch::empty_like(x);
  const int rows = x.size(0), cols = x.size(1);
  ln16<<<(rows + 7) / 8, 128, 0, c10::cuda::getCurrentCUDAStream()>>>(x.const_data_ptr<float>(), weight.const_data_ptr<float>(), bias.const_data_ptr<float>(), y.mutable_data_ptr<float>(), rows, cols, eps);
  return y;
}

TORCH_LIBRARY(norms, m) {
  m.def("layer_norm(Tensor x, Tensor weight, Tensor bias, float eps=1e-05) -> Tensor");
  m.impl("layer_norm", torch::kCUDA, &layer_norm);
}
