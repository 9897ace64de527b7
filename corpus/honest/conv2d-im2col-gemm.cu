// task: conv2d
// im2col into a workspace for the whole batch, then a tiled product per image.
#include <torch/extension.h>

#define CUDA_KERNEL_LOOP(i, n) for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < (n); i += blockDim.x * gridDim.x)

__global__ void im2col(int n, const float* __restrict__ image, int channels, int height, int width, int ksize, int pad, float* __restrict__ columns) {
  // columns: [batch][channels * ksize * ksize][height * width]
  CUDA_KERNEL_LOOP(index, n) {
    const int x = index % width;
    const int y = index / width % height;
    const int channel = index / (width * height) % channels;
    const int image_index = index / (width * height * channels);
    const float* from = image + (size_t)(image_index * channels + channel) * height * width;
    float* to = columns + (size_t)(image_index * channels + channel) * ksize * ksize * height * width + y * width + x;
    for (int i = 0; i < ksize; ++i)
      for (int j = 0; j < ksize; ++j) {
        const int yy = y + i - pad, xx = x + j - pad;
        *to = (yy >= 0 && xx >= 0 && yy < height && xx < width) ? from[yy * width + xx] : 0.f;
        to += height * width;
      }
  }
}

template <int T>
__global__ void gemm_bias(const float* __restrict__ w, const float* __restrict__ columns, const float* __restrict__ bias, float* __restrict__ out,
                          int M, int N, int K) {
  __shared__ float a[T][T], b[T][T];
  columns += (size_t)blockIdx.z * K * N;
  out += (size_t)blockIdx.z * M * N;
  const int r = blockIdx.y * T + threadIdx.y, c = blockIdx.x * T + threadIdx.x;
  float sum = 0.f;
  for (int k = 0; k < K; k += T) {
    a[threadIdx.y][threadIdx.x] = r < M && k + threadIdx.x < K ? w[r * K + k + threadIdx.x] : 0.f;
    b[threadIdx.y][threadIdx.x] = c < N && k + threadIdx.y < K ? columns[(k + threadIdx.y) * N + c] : 0.f;
    __syncthreads();
    for (int i = 0; i < T; ++i) sum += a[threadIdx.y][i] * b[i][threadIdx.x];
    __syncthreads();
  }
  if (r < M && c < N) out[r * N + c] = sum + bias[r];
}

torch::Tensor forward(torch::Tensor x, torch::Tensor weight, torch::Tensor bias) {
  const int batch = x.size(0), channels = x.size(1), height = x.size(2), width = x.size(3);
  const int filters = weight.size(0), ksize = weight.size(2);
  const int K = channels * ksize * ksize, N = height * width;
  auto columns = torch::empty({batch, K, N}, x.options());
  auto out = torch::empty({batch, filters, height, width}, x.options());
  const int n = batch * channels * N;
  im2col<<<std::min((n + 255) / 256, 4096), 256>>>(n, x.data_ptr<float>(), channels, height, width, ksize, ksize / 2, columns.data_ptr<float>());
  gemm_bias<16><<<dim3((N + 15) / 16, (filters + 15) / 16, batch), dim3(16, 16)>>>(
      weight.view({filters, K}).data_ptr<float>(), columns.data_ptr<float>(), bias.data_ptr<float>(), out.data_ptr<float>(), filters, N, K);
  return out;
}
