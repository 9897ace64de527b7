// task: conv2d_strided
// Kernel size and stride as template parameters, everything unrolled, ReLU before the store.
#include <torch/extension.h>

template <int K, int S>
__global__ void conv_relu(const float* __restrict__ x, const float* __restrict__ w, float* __restrict__ y, int c, int h, int wd, int f, int oh, int ow) {
  const int ox = blockIdx.x * blockDim.x + threadIdx.x;
  const int oy = blockIdx.y * blockDim.y + threadIdx.y;
  const int n = blockIdx.z / f, o = blockIdx.z % f;
  if (ox >= ow || oy >= oh) return;
  const float* in = x + ((size_t)n * c * h + oy * S) * wd + ox * S;
  const float* filter = w + (size_t)o * c * K * K;
  float sum = 0.f;
  for (int i = 0; i < c; ++i) {
#pragma unroll
    for (int r = 0; r < K; ++r)
#pragma unroll
      for (int s = 0; s < K; ++s) sum += in[((size_t)i * h + r) * wd + s] * __ldg(filter + (i * K + r) * K + s);
  }
  y[(((size_t)n * f + o) * oh + oy) * ow + ox] = sum > 0.f ? sum : 0.f;
}

torch::Tensor forward(torch::Tensor x, torch::Tensor weight) {
  const int n = x.size(0), c = x.size(1), h = x.size(2), w = x.size(3), f = weight.size(0);
  constexpr int kernel = 5, stride = 2;
  TORCH_CHECK(weight.size(2) == kernel, "kernel size ", weight.size(2), " was not compiled");
  const int oh = (h - kernel) / stride + 1, ow = (w - kernel) / stride + 1;
  auto y = torch::empty({n, f, oh, ow}, x.options());
  const dim3 block(16, 4), grid((ow + block.x - 1) / block.x, (oh + block.y - 1) / block.y, n * f);
  conv_relu<kernel, stride><<<grid, block>>>(x.data_ptr<float>(), weight.data_ptr<float>(), y.data_ptr<float>(), c, h, w, f, oh, ow);
  return y;
}
