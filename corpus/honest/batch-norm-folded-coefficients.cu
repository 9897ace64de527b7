// task: batch_norm
// A first small kernel folds weight, bias, mean and variance to a scale and a shift a channel; the second is one fma an element.
#include <torch/extension.h>
#include <c10/cuda/CUDAStream.h>

__global__ void fold(const float* w, const float* b, const float* mean, const float* var, float eps, float* scale, float* shift, int c) {
  int i = threadIdx.x + blockIdx.x * blockDim.x;
  if (i < c) {
    float s = w[i] * rsqrtf(var[i] + eps);
    scale[i] = s;
    shift[i] = fmaf(-mean[i], s, b[i]);
  }
}

__global__ void apply(const float* __restrict__ x, float* __restrict__ y, const float* __restrict__ scale, const float* __restrict__ shift, int channels, int hw) {
  const int plane = blockIdx.y;
  const float s = scale[plane % channels], t = shift[plane % channels];
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < hw) y[plane * hw + i] = fmaf(x[plane * hw + i], s, t);
}

torch::Tensor forward(torch::Tensor x, torch::Tensor weight, torch::Tensor bias, torch::Tensor running_mean, torch::Tensor running_var) {
  const int c = x.size(1), hw = x.size(2) * x.size(3);
  auto coefficients = torch::empty({2, c}, x.options());
  auto y = torch::empty_like(x);
  float* scale = coefficients.data_ptr<float>();
  float* shift = scale + c;
  auto stream = c10::cuda::getCurrentCUDAStream();
  fold<<<1, (c + 31) / 32 * 32, 0, stream>>>(weight.data_ptr<float>(), bias.data_ptr<float>(), running_mean.data_ptr<float>(), running_var.data_ptr<float>(), 1e-5f, scale, shift, c);
  apply<<<dim3((hw + 127) / 128, x.size(0) * c), 128, 0, stream>>>(x.data_ptr<float>(), y.data_ptr<float>(), scale, shift, c, hw);
  return y;
}
