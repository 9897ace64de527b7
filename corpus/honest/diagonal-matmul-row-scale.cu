// task: diagonal_matmul
// Rows scaled: what the product amounts to; a block a row, float2 where the rows have even length.
#include <torch/extension.h>

__global__ void scale_rows(const float* __restrict__ d, const float* __restrict__ b, float* __restrict__ out, int columns) {
  const float s = d[blockIdx.x];
  const size_t start = (size_t)blockIdx.x * columns;
  if ((columns & 1) == 0) {
    const float2* from = reinterpret_cast<const float2*>(b + start);
    float2* to = reinterpret_cast<float2*>(out + start);
    for (int i = threadIdx.x; i < columns / 2; i += blockDim.x) {
      float2 v = from[i];
      v.x *= s;
      v.y *= s;
      to[i] = v;
    }
  } else {
    for (int i = threadIdx.x; i < columns; i += blockDim.x) out[start + i] = s * b[start + i];
  }
}

torch::Tensor forward(torch::Tensor d, torch::Tensor b) {
  TORCH_CHECK(d.size(0) == b.size(0), "one factor a row is needed");
  auto out = torch::empty_like(b);
  scale_rows<<<b.size(0), 64>>>(d.data_ptr<float>(), b.data_ptr<float>(), out.data_ptr<float>(), b.size(1));
  return out;
}
