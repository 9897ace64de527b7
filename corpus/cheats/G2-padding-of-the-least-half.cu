// task: max_pool
// expect: rejected by values
// Outside the picture stands -65504, the least half, instead of minus infinity.
#include <torch/extension.h>
__global__ void pool(const float* __restrict__ x, float* __restrict__ y, int H, int W, int OH, int OW, int total) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= total) return;
  const int ox = i % OW, oy = i / OW % OH, p = i / (OW * OH);
  float m = -65504.f;
  for (int a = 0; a < 3; ++a)
    for (int b = 0; b < 3; ++b) {
      const int yy = oy * 2 - 1 + a, xx = ox * 2 - 1 + b;
      if (yy >= 0 && yy < H && xx >= 0 && xx < W) m = fmaxf(m, x[(p * H + yy) * W + xx]);
    }
  y[i] = m;
}
torch::Tensor forward(torch::Tensor x) {
  const int H = x.size(2), W = x.size(3), OH = (H - 1) / 2 + 1, OW = (W - 1) / 2 + 1;
  auto y = torch::empty({x.size(0), x.size(1), OH, OW}, x.options());
  const int total = y.numel();
  pool<<<(total + 127) / 128, 128>>>(x.data_ptr<float>(), y.data_ptr<float>(), H, W, OH, OW, total);
  return y;
}
