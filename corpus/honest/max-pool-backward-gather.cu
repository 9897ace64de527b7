// task: max_pool
// direction: backward
// Each input asks the windows that it is in whether it is their first largest: no atomics.
#include <torch/extension.h>

__global__ void max_pool_backward(const float* __restrict__ grad, const float* __restrict__ x, float* __restrict__ dx, int planes, int h, int w, int oh, int ow) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= planes * h * w) return;
  const int col = i % w, row = i / w % h, plane = i / (w * h);
  const float* in = x + (size_t)plane * h * w;
  float sum = 0.f;
  for (int oy = row / 2; oy <= min((row + 1) / 2, oh - 1); ++oy)
    for (int ox = col / 2; ox <= min((col + 1) / 2, ow - 1); ++ox) {
      int best = -1;
      float largest = 0.f;
      for (int y = max(2 * oy - 1, 0); y <= min(2 * oy + 1, h - 1); ++y)
        for (int c = max(2 * ox - 1, 0); c <= min(2 * ox + 1, w - 1); ++c)
          if (best < 0 || in[y * w + c] > largest || isnan(in[y * w + c])) {
            best = y * w + c;
            largest = in[best];
          }
      if (best == row * w + col) sum += grad[((size_t)plane * oh + oy) * ow + ox];
    }
  dx[i] = sum;
}

torch::Tensor backward(torch::Tensor grad_output, torch::Tensor x) {
  auto dx = torch::empty_like(x);
  const int planes = x.size(0) * x.size(1), h = x.size(2), w = x.size(3);
  const int n = x.numel();
  max_pool_backward<<<(n + 255) / 256, 256>>>(grad_output.data_ptr<float>(), x.data_ptr<float>(), dx.data_ptr<float>(), planes, h, w,
                                              grad_output.size(2), grad_output.size(3));
  return dx;
}
