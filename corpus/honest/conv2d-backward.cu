// task: conv2d
// direction: backward
// The gradient of the image by gathering, of a weight by a block over batch and pixels, of the bias beside it.
#include <torch/extension.h>
#include <vector>

struct Sizes {
  int n, c, h, w, k;
};

__global__ void image_gradient(const float* __restrict__ dy, const float* __restrict__ w, float* __restrict__ dx, Sizes s) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= s.n * s.c * s.h * s.w) return;
  const int x = i % s.w, y = i / s.w % s.h, c = i / (s.w * s.h) % s.c, n = i / (s.w * s.h * s.c);
  float sum = 0.f;
  for (int k = 0; k < s.k; ++k)
    for (int r = 0; r < 3; ++r)
      for (int q = 0; q < 3; ++q) {
        const int oy = y + 1 - r, ox = x + 1 - q;
        if (oy >= 0 && oy < s.h && ox >= 0 && ox < s.w) sum += dy[((n * s.k + k) * s.h + oy) * s.w + ox] * w[((k * s.c + c) * 3 + r) * 3 + q];
      }
  dx[i] = sum;
}

// A block a weight; the last c of the grid is the bias.
__global__ void weight_gradient(const float* __restrict__ dy, const float* __restrict__ x, float* __restrict__ dw, float* __restrict__ db, Sizes s) {
  __shared__ float shared[128];
  const int k = blockIdx.y, c = blockIdx.x / 9, r = blockIdx.x % 9 / 3, q = blockIdx.x % 3;
  const bool bias = c == s.c;
  if (bias && blockIdx.x % 9 != 0) return;
  float sum = 0.f;
  for (int i = threadIdx.x; i < s.n * s.h * s.w; i += 128) {
    const int ox = i % s.w, oy = i / s.w % s.h, n = i / (s.w * s.h);
    const float g = dy[((n * s.k + k) * s.h + oy) * s.w + ox];
    const int y = oy + r - 1, xx = ox + q - 1;
    if (bias) sum += g;
    else if (y >= 0 && y < s.h && xx >= 0 && xx < s.w) sum += g * x[((n * s.c + c) * s.h + y) * s.w + xx];
  }
  shared[threadIdx.x] = sum;
  __syncthreads();
  for (int half = 64; half > 0; half /= 2) {
    if (threadIdx.x < half) shared[threadIdx.x] += shared[threadIdx.x + half];
    __syncthreads();
  }
  if (threadIdx.x == 0) {
    if (bias) db[k] = shared[0];
    else dw[((k * s.c + c) * 3 + r) * 3 + q] = shared[0];
  }
}

std::vector<torch::Tensor> backward(torch::Tensor grad_output, torch::Tensor x, torch::Tensor weight, torch::Tensor bias) {
  const Sizes s{(int)x.size(0), (int)x.size(1), (int)x.size(2), (int)x.size(3), (int)weight.size(0)};
  auto dx = torch::empty_like(x), dw = torch::empty_like(weight), db = torch::empty_like(bias);
  image_gradient<<<(x.numel() + 127) / 128, 128>>>(grad_output.data_ptr<float>(), weight.data_ptr<float>(), dx.data_ptr<float>(), s);
  weight_gradient<<<dim3((s.c + 1) * 9, s.k), 128>>>(grad_output.data_ptr<float>(), x.data_ptr<float>(), dw.data_ptr<float>(), db.data_ptr<float>(), s);
  return {dx, dw, db};
}
