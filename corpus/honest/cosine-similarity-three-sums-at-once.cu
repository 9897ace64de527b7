// task: cosine_similarity
// A warp a row: dot product and both squared norms in one pass, reduced together as a float3.
#include <torch/extension.h>

__device__ float3 operator+(float3 a, float3 b) { return make_float3(a.x + b.x, a.y + b.y, a.z + b.z); }

__device__ float3 shfl_xor(float3 v, int mask) {
  return make_float3(__shfl_xor_sync(0xffffffff, v.x, mask), __shfl_xor_sync(0xffffffff, v.y, mask), __shfl_xor_sync(0xffffffff, v.z, mask));
}

__global__ void cosine(const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ out, int rows, int width, float eps) {
  const int row = blockIdx.x * blockDim.y + threadIdx.y;
  if (row >= rows) return;
  const float *pa = a + row * width, *pb = b + row * width;
  float3 acc = make_float3(0, 0, 0);
  for (int i = threadIdx.x; i < width; i += warpSize) {
    const float u = pa[i], v = pb[i];
    acc = acc + make_float3(u * v, u * u, v * v);
  }
  for (int mask = 16; mask; mask /= 2) acc = acc + shfl_xor(acc, mask);
  if (threadIdx.x == 0) out[row] = acc.x / (fmaxf(sqrtf(acc.y), eps) * fmaxf(sqrtf(acc.z), eps));
}

torch::Tensor forward(torch::Tensor a, torch::Tensor b) {
  const int rows = a.size(0);
  auto out = torch::empty({rows}, a.options());
  cosine<<<(rows + 1) / 2, dim3(32, 2)>>>(a.data_ptr<float>(), b.data_ptr<float>(), out.data_ptr<float>(), rows, a.size(1), 1e-8f);
  return out;
}
