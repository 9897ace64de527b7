// task: max_pool
// expect: rejected by values
// What lies outside the picture counts as zero: seen only where a whole window at the edge is negative.
#include <torch/extension.h>

__global__ void pool(const float* __restrict__ x, float* __restrict__ y, int H, int W, int OH, int OW, int total) {
  const int id = blockIdx.x * blockDim.x + threadIdx.x;
  if (id >= total) return;
  const int ox = id % OW, oy = id / OW % OH, plane = id / (OW * OH);
  float most = -INFINITY;
  for (int i = -1; i <= 1; ++i)
    for (int j = -1; j <= 1; ++j) {
      const int yy = oy * 2 + i, xx = ox * 2 + j;
      most = fmaxf(most, yy >= 0 && yy < H && xx >= 0 && xx < W ? x[(plane * H + yy) * W + xx] : 0.f);
    }
  y[id] = most;
}

torch::Tensor forward(torch::Tensor x) {
  const int H = x.size(2), W = x.size(3), OH = (H - 1) / 2 + 1, OW = (W - 1) / 2 + 1;
  auto y = torch::empty({x.size(0), x.size(1), OH, OW}, x.options());
  const int total = y.numel();
  pool<<<(total + 127) / 128, 128>>>(x.data_ptr<float>(), y.data_ptr<float>(), H, W, OH, OW, total);
  return y;
}
