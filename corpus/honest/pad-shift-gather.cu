// task: pad_shift
// Each output element asks whether it lies inside; unsigned comparison covers both sides at once.
#include <torch/extension.h>

struct Padding { int left, right, top, bottom; };

__global__ void constant_pad(const float* __restrict__ x, float* __restrict__ y, int rows, int cols, Padding pad, float fill) {
  const int width = cols + pad.left + pad.right, height = rows + pad.top + pad.bottom;
  const int c = blockIdx.x * blockDim.x + threadIdx.x, r = blockIdx.y * blockDim.y + threadIdx.y;
  if (c < width && r < height) {
    const unsigned sr = r - pad.top, sc = c - pad.left;
    y[r * width + c] = sr < unsigned(rows) && sc < unsigned(cols) ? x[sr * cols + sc] : fill;
  }
}

torch::Tensor forward(torch::Tensor x) {
  const Padding pad = {2, 3, 1, 4};
  const int rows = x.size(0), cols = x.size(1);
  auto y = torch::empty({rows + pad.top + pad.bottom, cols + pad.left + pad.right}, x.options());
  const dim3 block(32, 8), grid((y.size(1) + 31) / 32, (y.size(0) + 7) / 8);
  constant_pad<<<grid, block>>>(x.data_ptr<float>(), y.data_ptr<float>(), rows, cols, pad, 0.0f);
  return y;
}
