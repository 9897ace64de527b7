// task: swiglu
// scale: 100000
// blockIdx.y is the row; __fdividef and __expf; several columns a thread by a strided loop.
#include <torch/extension.h>
#include <c10/cuda/CUDAException.h>

__global__ void silu_and_mul_kernel(float* __restrict__ out, const float* __restrict__ input, const int d) {
  const int64_t token_idx = blockIdx.x;
  for (int64_t idx = threadIdx.x; idx < d; idx += blockDim.x) {
    const float x = __ldg(&input[token_idx * 2 * d + idx]);
    const float y = __ldg(&input[token_idx * 2 * d + d + idx]);
    out[token_idx * d + idx] = __fdividef(x, 1.0f + __expf(-x)) * y;
  }
}

void silu_and_mul(torch::Tensor& out, torch::Tensor& input) {
  int64_t num_tokens = input.numel() / input.size(-1);
  int d = input.size(-1) / 2;
  dim3 grid(num_tokens);
  dim3 block(std::min(d, 1024));
  silu_and_mul_kernel<<<grid, block>>>(out.data_ptr<float>(), input.data_ptr<float>(), d);
  C10_CUDA_KERNEL_LAUNCH_CHECK();
}

torch::Tensor forward(torch::Tensor x) {
  auto shape = x.sizes().vec();
  shape.back() /= 2;
  auto out = torch::empty(shape, x.options());
  silu_and_mul(out, x);
  return out;
}
