// task: conv_transpose
// A thread an output pixel, gathering the input pixels that reach it; stride, padding and filter are template arguments, so that divisions fold.
#include <torch/extension.h>

template <int K, int S, int P>
__global__ void spread(const float* __restrict__ x, const float* __restrict__ w, const float* __restrict__ bias, float* __restrict__ y,
                       int C, int H, int W, int F, int OH, int OW) {
  const int ox = blockIdx.x * blockDim.x + threadIdx.x, oy = blockIdx.y * blockDim.y + threadIdx.y;
  const int f = blockIdx.z % F, n = blockIdx.z / F;
  if (ox >= OW || oy >= OH) return;
  float sum = bias != nullptr ? bias[f] : 0.f;
#pragma unroll
  for (int i = 0; i < K; ++i) {
    const int ty = oy + P - i;
    if (ty < 0 || ty % S != 0 || ty / S >= H) continue;
#pragma unroll
    for (int j = 0; j < K; ++j) {
      const int tx = ox + P - j;
      if (tx < 0 || tx % S != 0 || tx / S >= W) continue;
      for (int c = 0; c < C; ++c) sum = fmaf(x[((n * C + c) * H + ty / S) * W + tx / S], w[((c * F + f) * K + i) * K + j], sum);
    }
  }
  y[((n * F + f) * OH + oy) * OW + ox] = sum;
}

torch::Tensor forward(torch::Tensor x, torch::Tensor weight, c10::optional<torch::Tensor> bias) {
  const auto N = x.size(0), C = x.size(1), H = x.size(2), W = x.size(3), F = weight.size(1);
  TORCH_CHECK(weight.size(0) == C, "channels of the input and of the filter differ");
  const auto OH = (H - 1) * 2 - 2 + 3 + 1, OW = (W - 1) * 2 - 2 + 3 + 1;
  auto y = torch::empty({N, F, OH, OW}, x.options());
  const dim3 block(16, 8);
  const dim3 grid((OW + block.x - 1) / block.x, (OH + block.y - 1) / block.y, N * F);
  spread<3, 2, 1><<<grid, block>>>(x.data_ptr<float>(), weight.data_ptr<float>(), bias.has_value() ? bias->data_ptr<float>() : nullptr,
                                   y.data_ptr<float>(), C, H, W, F, OH, OW);
  return y;
}
