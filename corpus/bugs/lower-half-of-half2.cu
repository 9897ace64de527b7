// finds: uninitialised-read
// arguments: x: const half[64] = ramp, packed: half2[64], y: float[64]
// launch: <<<1, 64>>>
// Only the low halves are stored; the pair is loaded.
#include <cuda_fp16.h>

__global__ void broken(const __half* x, __half2* packed, float* y) {
  const int t = threadIdx.x;
  reinterpret_cast<__half*>(packed)[2 * t] = x[t];
  __syncthreads();
  const float2 v = __half22float2(packed[63 - t]);
  y[t] = v.x + v.y;
}

__global__ void repaired(const __half* x, __half2* packed, float* y) {
  const int t = threadIdx.x;
  packed[t] = __halves2half2(x[t], __float2half(0.0f));
  __syncthreads();
  const float2 v = __half22float2(packed[63 - t]);
  y[t] = v.x + v.y;
}
