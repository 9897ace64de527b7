// task: conv2d
// expect: rejected by values
// Outside the picture the nearest pixel is taken instead of zero, at the last corner of each plane alone.
#include <torch/extension.h>

__global__ void conv(const float* __restrict__ x, const float* __restrict__ w, const float* __restrict__ bias, float* __restrict__ y,
                     int C, int H, int W, int K, int total) {
  const int id = blockIdx.x * blockDim.x + threadIdx.x;
  if (id >= total) return;
  const int ox = id % W, oy = id / W % H, k = id / (W * H) % K, n = id / (W * H * K);
  float sum = bias[k];
  for (int c = 0; c < C; ++c)
    for (int i = 0; i < 3; ++i)
      for (int j = 0; j < 3; ++j) {
        const int yy = oy + i - 1, xx = ox + j - 1;
        if (yy == H && xx == W) sum += x[((n * C + c) * H + H - 1) * W + W - 1] * w[(k * C + c) * 9 + 8];
        else if (yy >= 0 && yy < H && xx >= 0 && xx < W) sum += x[((n * C + c) * H + yy) * W + xx] * w[(k * C + c) * 9 + i * 3 + j];
      }
  y[id] = sum;
}

torch::Tensor forward(torch::Tensor x, torch::Tensor weight, torch::Tensor bias) {
  const int K = weight.size(0);
  auto y = torch::empty({x.size(0), K, x.size(2), x.size(3)}, x.options());
  const int total = y.numel();
  conv<<<(total + 127) / 128, 128>>>(x.data_ptr<float>(), weight.data_ptr<float>(), bias.data_ptr<float>(), y.data_ptr<float>(), x.size(1), x.size(2), x.size(3), K, total);
  return y;
}
