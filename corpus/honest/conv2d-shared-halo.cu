// task: conv2d
// A tile of the image with its halo in shared memory, one input channel after the other; all output channels of a pixel in registers, in groups.
#include <torch/extension.h>

constexpr int kTileW = 16, kTileH = 8, kHaloW = kTileW + 2, kHaloH = kTileH + 2, kGroup = 5;

__global__ void __launch_bounds__(kTileW * kTileH) conv3x3(const float* __restrict__ x, const float* __restrict__ w, const float* __restrict__ b,
                                                           float* __restrict__ y, int channels, int filters, int height, int width) {
  __shared__ float tile[kHaloH][kHaloW];
  __shared__ float filter[kGroup][9];
  const int groups = (filters + kGroup - 1) / kGroup;
  const int image = blockIdx.z / groups, first = blockIdx.z % groups * kGroup;
  const int ox = blockIdx.x * kTileW + threadIdx.x, oy = blockIdx.y * kTileH + threadIdx.y;
  const int tid = threadIdx.y * kTileW + threadIdx.x;
  float sums[kGroup] = {};
  for (int c = 0; c < channels; ++c) {
    const float* plane = x + (static_cast<size_t>(image) * channels + c) * height * width;
    for (int i = tid; i < kHaloH * kHaloW; i += kTileW * kTileH) {
      const int iy = blockIdx.y * kTileH + i / kHaloW - 1, ix = blockIdx.x * kTileW + i % kHaloW - 1;
      tile[i / kHaloW][i % kHaloW] = iy >= 0 && iy < height && ix >= 0 && ix < width ? plane[iy * width + ix] : 0.f;
    }
    if (tid < kGroup * 9) {
      const int f = first + tid / 9;
      filter[tid / 9][tid % 9] = f < filters ? w[(f * channels + c) * 9 + tid % 9] : 0.f;
    }
    __syncthreads();
#pragma unroll
    for (int i = 0; i < 3; ++i)
#pragma unroll
      for (int j = 0; j < 3; ++j) {
        const float v = tile[threadIdx.y + i][threadIdx.x + j];
#pragma unroll
        for (int g = 0; g < kGroup; ++g) sums[g] = fmaf(v, filter[g][i * 3 + j], sums[g]);
      }
    __syncthreads();
  }
  if (ox >= width || oy >= height) return;
#pragma unroll
  for (int g = 0; g < kGroup; ++g)
    if (first + g < filters) y[((static_cast<size_t>(image) * filters + first + g) * height + oy) * width + ox] = sums[g] + b[first + g];
}

torch::Tensor forward(torch::Tensor x, torch::Tensor weight, torch::Tensor bias) {
  TORCH_CHECK(weight.size(2) == 3 && weight.size(3) == 3, "written for 3x3");
  const int n = x.size(0), c = x.size(1), h = x.size(2), w = x.size(3), f = weight.size(0);
  auto y = torch::empty({n, f, h, w}, x.options());
  const dim3 grid((w + kTileW - 1) / kTileW, (h + kTileH - 1) / kTileH, n * ((f + kGroup - 1) / kGroup));
  conv3x3<<<grid, dim3(kTileW, kTileH)>>>(x.data_ptr<float>(), weight.data_ptr<float>(), bias.data_ptr<float>(), y.data_ptr<float>(), c, f, h, w);
  return y;
}
