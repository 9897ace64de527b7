// task: softplus_log
// max(x, 0) + log1p(exp(-|x|)) is softplus without a threshold; grid-stride loop over float2 with a tail.
#include <torch/extension.h>

__device__ __forceinline__ float f(float v) { return log1pf(fmaxf(v, 0.f) + log1pf(expf(-fabsf(v)))); }

extern "C" __global__ void softplus_log(const float* x, float* y, long n) {
  const long step = (long)gridDim.x * blockDim.x;
  long i = (long)blockIdx.x * blockDim.x + threadIdx.x;
  for (long p = i; p < n / 2; p += step) {
    float2 v = reinterpret_cast<const float2*>(x)[p];
    v.x = f(v.x);
    v.y = f(v.y);
    reinterpret_cast<float2*>(y)[p] = v;
  }
  if ((n & 1) && i == 0) y[n - 1] = f(x[n - 1]);
}

at::Tensor forward(const at::Tensor& x) {
  at::Tensor y = at::empty_like(x);
  softplus_log<<<48, 192>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.numel());
  return y;
}
