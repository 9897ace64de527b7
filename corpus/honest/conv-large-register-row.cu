// task: conv_large
// scale: 200000
// Four output pixels of a row and four output channels a thread, the image's tile with halo and the filters in shared memory, channels in slices of four.
#include <torch/extension.h>

namespace {

constexpr int kTileW = 32, kTileH = 4, kPixels = 4, kFilters = 4, kSlice = 4;
constexpr int kThreadsX = kTileW / kPixels, kThreadsY = kTileH;

__global__ void __launch_bounds__(kThreadsX * kThreadsY) conv3x3_relu(const float* __restrict__ x, const float* __restrict__ w, const float* __restrict__ b,
                                                                      float* __restrict__ y, int channels, int filters, int height, int width) {
  __shared__ float image[kSlice][kTileH + 2][kTileW + 2];
  __shared__ float filter[kFilters][kSlice][9];
  const int groups = (filters + kFilters - 1) / kFilters;
  const int n = blockIdx.z / groups, f0 = blockIdx.z % groups * kFilters;
  const int x0 = blockIdx.x * kTileW, y0 = blockIdx.y * kTileH;
  const int tid = threadIdx.y * kThreadsX + threadIdx.x;
  constexpr int threads = kThreadsX * kThreadsY;
  float acc[kFilters][kPixels] = {};
  for (int c0 = 0; c0 < channels; c0 += kSlice) {
    for (int i = tid; i < kSlice * (kTileH + 2) * (kTileW + 2); i += threads) {
      const int xx = i % (kTileW + 2), yy = i / (kTileW + 2) % (kTileH + 2), c = i / ((kTileW + 2) * (kTileH + 2));
      const int gx = x0 + xx - 1, gy = y0 + yy - 1;
      const bool inside = c0 + c < channels && gx >= 0 && gx < width && gy >= 0 && gy < height;
      image[c][yy][xx] = inside ? x[((static_cast<size_t>(n) * channels + c0 + c) * height + gy) * width + gx] : 0.f;
    }
    for (int i = tid; i < kFilters * kSlice * 9; i += threads) {
      const int k = i % 9, c = i / 9 % kSlice, f = i / (9 * kSlice);
      filter[f][c][k] = f0 + f < filters && c0 + c < channels ? w[(static_cast<size_t>(f0 + f) * channels + c0 + c) * 9 + k] : 0.f;
    }
    __syncthreads();
    for (int c = 0; c < kSlice; ++c)
#pragma unroll
      for (int dy = 0; dy < 3; ++dy) {
        float row[kPixels + 2];
#pragma unroll
        for (int i = 0; i < kPixels + 2; ++i) row[i] = image[c][threadIdx.y + dy][threadIdx.x * kPixels + i];
#pragma unroll
        for (int f = 0; f < kFilters; ++f)
#pragma unroll
          for (int dx = 0; dx < 3; ++dx) {
            const float k = filter[f][c][dy * 3 + dx];
#pragma unroll
            for (int p = 0; p < kPixels; ++p) acc[f][p] += k * row[p + dx];
          }
      }
    __syncthreads();
  }
  const int oy = y0 + threadIdx.y;
  if (oy >= height) return;
  for (int f = 0; f < kFilters && f0 + f < filters; ++f)
    for (int p = 0; p < kPixels; ++p) {
      const int ox = x0 + threadIdx.x * kPixels + p;
      if (ox < width) y[((static_cast<size_t>(n) * filters + f0 + f) * height + oy) * width + ox] = fmaxf(acc[f][p] + b[f0 + f], 0.f);
    }
}

}  // namespace

torch::Tensor forward(torch::Tensor x, torch::Tensor weight, torch::Tensor bias) {
  const int n = x.size(0), c = x.size(1), h = x.size(2), w = x.size(3), f = weight.size(0);
  auto y = torch::empty({n, f, h, w}, x.options());
  const dim3 grid((w + kTileW - 1) / kTileW, (h + kTileH - 1) / kTileH, n * ((f + kFilters - 1) / kFilters));
  conv3x3_relu<<<grid, dim3(kThreadsX, kThreadsY)>>>(x.data_ptr<float>(), weight.data_ptr<float>(), bias.data_ptr<float>(), y.data_ptr<float>(), c, f, h, w);
  return y;
}
