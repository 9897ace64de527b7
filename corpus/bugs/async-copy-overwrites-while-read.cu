// finds: race
// arguments: x: const float[4*64] = ramp, y: float[64]
// launch: <<<1, 64>>>
// The next copy into a single buffer starts while other warps may still read it.
#include <cuda_pipeline.h>

__global__ void broken(const float* x, float* y) {
  __shared__ float tile[64];
  const int t = threadIdx.x;
  float sum = 0.0f;
  for (int k = 0; k < 4; k++) {
    __pipeline_memcpy_async(&tile[t], &x[k * 64 + t], 4);
    __pipeline_commit();
    __pipeline_wait_prior(0);
    __syncthreads();
    sum += tile[63 - t];
  }
  y[t] = sum;
}

__global__ void repaired(const float* x, float* y) {
  __shared__ float tile[64];
  const int t = threadIdx.x;
  float sum = 0.0f;
  for (int k = 0; k < 4; k++) {
    __pipeline_memcpy_async(&tile[t], &x[k * 64 + t], 4);
    __pipeline_commit();
    __pipeline_wait_prior(0);
    __syncthreads();
    sum += tile[63 - t];
    __syncthreads();
  }
  y[t] = sum;
}
