// task: linear_relu
// All arguments, pointers too, in one struct passed by value; dynamic shared memory with cudaFuncSetAttribute.
#include <torch/extension.h>

struct Params {
  const float* x;
  const float* w;
  const float* bias;
  float* y;
  int M, N, K;
};

enum class Activation { None, Relu };

template <int TILE, Activation A>
__global__ void linear(const Params p) {
  extern __shared__ float shared[];
  float* xs = shared;
  float* ws = shared + TILE * (TILE + 1);
  const int row = blockIdx.y * TILE + threadIdx.y, column = blockIdx.x * TILE + threadIdx.x;
  float sum = 0.f;
  for (int k0 = 0; k0 < p.K; k0 += TILE) {
    const int k = k0 + threadIdx.x, other = blockIdx.x * TILE + threadIdx.y;
    xs[threadIdx.y * (TILE + 1) + threadIdx.x] = row < p.M && k < p.K ? p.x[row * p.K + k] : 0.f;
    ws[threadIdx.y * (TILE + 1) + threadIdx.x] = other < p.N && k < p.K ? p.w[other * p.K + k] : 0.f;
    __syncthreads();
#pragma unroll
    for (int i = 0; i < TILE; ++i) sum = fmaf(xs[threadIdx.y * (TILE + 1) + i], ws[threadIdx.x * (TILE + 1) + i], sum);
    __syncthreads();
  }
  if (row >= p.M || column >= p.N) return;
  sum += p.bias[column];
  if constexpr (A == Activation::Relu) sum = fmaxf(sum, 0.f);
  p.y[row * p.N + column] = sum;
}

torch::Tensor linear_relu(torch::Tensor x, torch::Tensor weight, torch::Tensor bias) {
  constexpr int TILE = 16;
  Params p;
  p.M = x.size(0);
  p.K = x.size(1);
  p.N = weight.size(0);
  auto y = x.new_empty({p.M, p.N});
  p.x = x.data_ptr<float>();
  p.w = weight.data_ptr<float>();
  p.bias = bias.data_ptr<float>();
  p.y = y.data_ptr<float>();
  const size_t bytes = 2 * TILE * (TILE + 1) * sizeof(float);
  auto kernel = linear<TILE, Activation::Relu>;
  cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
  const dim3 threads(TILE, TILE), blocks((p.N + TILE - 1) / TILE, (p.M + TILE - 1) / TILE);
  kernel<<<blocks, threads, bytes, at::cuda::getCurrentCUDAStream()>>>(p);
  return y;
}

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) { m.def("forward", &linear_relu); }
