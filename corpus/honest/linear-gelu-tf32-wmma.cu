// task: linear_gelu
// precision: tf32
// x W^T on tensor cores: W is a column-major operand as it lies; bias and GELU on the way out of shared memory.
#include <torch/extension.h>
#include <mma.h>

using namespace nvcuda::wmma;

__global__ void linear_gelu_tf32(const float* __restrict__ x, const float* __restrict__ w, const float* __restrict__ bias, float* __restrict__ y,
                                 int rows, int outputs, int features) {
  __shared__ __align__(16) float out[16 * 16];
  __shared__ __align__(16) float xs[16 * 8], ws[16 * 8];
  const int r0 = blockIdx.y * 16, c0 = blockIdx.x * 16, lane = threadIdx.x;
  fragment<accumulator, 16, 16, 8, float> acc;
  fragment<matrix_a, 16, 16, 8, precision::tf32, row_major> fx;
  fragment<matrix_b, 16, 16, 8, precision::tf32, col_major> fw;
  fill_fragment(acc, 0.f);
  for (int k = 0; k < features; k += 8) {
    for (int i = lane; i < 128; i += 32) {
      const int r = i / 8, f = k + i % 8;
      xs[i] = r0 + r < rows && f < features ? x[(r0 + r) * features + f] : 0.f;
      ws[i] = c0 + r < outputs && f < features ? w[(c0 + r) * features + f] : 0.f;
    }
    __syncwarp();
    load_matrix_sync(fx, xs, 8);
    load_matrix_sync(fw, ws, 8);
#pragma unroll
    for (int i = 0; i < fx.num_elements; ++i) fx.x[i] = __float_to_tf32(fx.x[i]);
#pragma unroll
    for (int i = 0; i < fw.num_elements; ++i) fw.x[i] = __float_to_tf32(fw.x[i]);
    mma_sync(acc, fx, fw, acc);
    __syncwarp();
  }
  store_matrix_sync(out, acc, 16, mem_row_major);
  __syncwarp();
  for (int i = lane; i < 256; i += 32) {
    const int r = r0 + i / 16, c = c0 + i % 16;
    if (r >= rows || c >= outputs) continue;
    const float v = out[i] + bias[c];
    y[r * outputs + c] = 0.5f * v * (1.f + erff(v * 0.7071067811865475f));
  }
}

torch::Tensor forward(torch::Tensor x, torch::Tensor weight, torch::Tensor bias) {
  const int rows = x.size(0), features = x.size(1), outputs = weight.size(0);
  auto y = torch::empty({rows, outputs}, x.options());
  linear_gelu_tf32<<<dim3((outputs + 15) / 16, (rows + 15) / 16), 32>>>(x.data_ptr<float>(), weight.data_ptr<float>(), bias.data_ptr<float>(),
                                                                         y.data_ptr<float>(), rows, outputs, features);
  return y;
}
