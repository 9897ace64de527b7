// task: conv2d
// Weights and biases copied into constant memory on the device's side; two output columns a thread.
#include <torch/extension.h>
#include <ATen/cuda/CUDAContext.h>

__constant__ float c_weight[4096];
__constant__ float c_bias[256];

__global__ void conv2d_const(const float* __restrict__ in, float* __restrict__ out, int C, int H, int W, int K) {
  const int x0 = (blockIdx.x * blockDim.x + threadIdx.x) * 2;
  const int y0 = blockIdx.y * blockDim.y + threadIdx.y;
  const int k = blockIdx.z % K, n = blockIdx.z / K;
  if (x0 >= W || y0 >= H) return;
  float left = c_bias[k], right = c_bias[k];
  for (int c = 0; c < C; ++c) {
    const float* plane = in + (n * C + c) * H * W;
    for (int i = 0; i < 3; ++i) {
      const int y = y0 + i - 1;
      if (y < 0 || y >= H) continue;
      float v[4];
      for (int j = 0; j < 4; ++j) {
        const int x = x0 + j - 1;
        v[j] = x >= 0 && x < W ? plane[y * W + x] : 0.f;
      }
      const float* w = c_weight + ((k * C + c) * 3 + i) * 3;
      left += w[0] * v[0] + w[1] * v[1] + w[2] * v[2];
      right += w[0] * v[1] + w[1] * v[2] + w[2] * v[3];
    }
  }
  float* to = out + ((n * K + k) * H + y0) * W + x0;
  to[0] = left;
  if (x0 + 1 < W) to[1] = right;
}

torch::Tensor forward(torch::Tensor x, torch::Tensor weight, torch::Tensor bias) {
  const int N = x.size(0), C = x.size(1), H = x.size(2), W = x.size(3), K = weight.size(0);
  TORCH_CHECK(weight.numel() <= 4096 && K <= 256, "too many weights for constant memory");
  auto stream = at::cuda::getCurrentCUDAStream();
  cudaMemcpyToSymbolAsync(c_weight, weight.data_ptr<float>(), weight.numel() * sizeof(float), 0, cudaMemcpyDeviceToDevice, stream);
  cudaMemcpyToSymbolAsync(c_bias, bias.data_ptr<float>(), K * sizeof(float), 0, cudaMemcpyDeviceToDevice, stream);
  auto out = torch::empty({N, K, H, W}, x.options());
  const dim3 block(8, 8), grid((W + 15) / 16, (H + 7) / 8, N * K);
  conv2d_const<<<grid, block, 0, stream>>>(x.data_ptr<float>(), out.data_ptr<float>(), C, H, W, K);
  return out;
}
