// task: upsample
// Every input pixel is read once and written as two float2, one a row of the output.
#include <torch/extension.h>

template <int BX, int BY>
__global__ void upsample_scatter(const float* __restrict__ in, float2* __restrict__ out, const int height, const int width) {
  const int w = blockIdx.x * BX + threadIdx.x;
  const int h = blockIdx.y * BY + threadIdx.y;
  if (w >= width || h >= height) return;
  const int plane = blockIdx.z;
  const float v = in[(plane * height + h) * width + w];
  const float2 pair = make_float2(v, v);
  float2* top = out + (size_t)(plane * 2 * height + 2 * h) * width + w;
  top[0] = pair;
  top[width] = pair;
}

torch::Tensor upsample(torch::Tensor x) {
  const auto sizes = x.sizes();
  auto out = torch::empty({sizes[0], sizes[1], sizes[2] * 2, sizes[3] * 2}, x.options());
  constexpr int BX = 32, BY = 4;
  const int h = sizes[2], w = sizes[3];
  const dim3 grid((w + BX - 1) / BX, (h + BY - 1) / BY, sizes[0] * sizes[1]);
  upsample_scatter<BX, BY><<<grid, dim3(BX, BY)>>>(x.data_ptr<float>(), reinterpret_cast<float2*>(out.data_ptr<float>()), h, w);
  return out;
}
