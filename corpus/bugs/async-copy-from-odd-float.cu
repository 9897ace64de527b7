// finds: misaligned
// arguments: x: const float[260] = ramp, y: float[256]
// launch: <<<1, 64>>>
// cp.async of 16 bytes needs both addresses aligned to 16; the source starts at element 1.
#include <cuda_pipeline.h>

__global__ void broken(const float* x, float* y) {
  __shared__ __align__(16) float tile[256];
  const int t = threadIdx.x;
  __pipeline_memcpy_async(&tile[4 * t], x + 1 + 4 * t, 16);
  __pipeline_commit();
  __pipeline_wait_prior(0);
  __syncthreads();
  for (int k = 0; k < 4; k++) y[64 * k + t] = tile[64 * k + t];
}

__global__ void repaired(const float* x, float* y) {
  __shared__ __align__(16) float tile[256];
  const int t = threadIdx.x;
  for (int k = 0; k < 4; k++) __pipeline_memcpy_async(&tile[4 * t + k], x + 1 + 4 * t + k, 4);
  __pipeline_commit();
  __pipeline_wait_prior(0);
  __syncthreads();
  for (int k = 0; k < 4; k++) y[64 * k + t] = tile[64 * k + t];
}
