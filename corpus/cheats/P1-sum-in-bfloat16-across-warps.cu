// task: cosine_similarity
// expect: rejected by values
// Warps hand their dot products over as bfloat16; lengths stay float.
#include <torch/extension.h>
#include <cuda_bf16.h>
__global__ void cosine(const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ y, int cols) {
  __shared__ __nv_bfloat16 dots[2];
  __shared__ float as[2], bs[2];
  float d = 0.f, p = 0.f, q = 0.f;
  for (int c = threadIdx.x; c < cols; c += 64) {
    const float u = a[blockIdx.x * cols + c], v = b[blockIdx.x * cols + c];
    d += u * v; p += u * u; q += v * v;
  }
  for (int o = 16; o; o >>= 1) d += __shfl_xor_sync(~0u, d, o), p += __shfl_xor_sync(~0u, p, o), q += __shfl_xor_sync(~0u, q, o);
  if (threadIdx.x % 32 == 0) dots[threadIdx.x / 32] = __float2bfloat16(d), as[threadIdx.x / 32] = p, bs[threadIdx.x / 32] = q;
  __syncthreads();
  if (threadIdx.x == 0)
    y[blockIdx.x] = (__bfloat162float(dots[0]) + __bfloat162float(dots[1])) / (fmaxf(sqrtf(as[0] + as[1]), 1e-8f) * fmaxf(sqrtf(bs[0] + bs[1]), 1e-8f));
}
torch::Tensor forward(torch::Tensor a, torch::Tensor b) {
  auto y = torch::empty({a.size(0)}, a.options());
  cosine<<<a.size(0), 64>>>(a.data_ptr<float>(), b.data_ptr<float>(), y.data_ptr<float>(), a.size(1));
  return y;
}
