// finds: race
// arguments: x: const float[128] = ramp, y: float[128]
// launch: <<<1, 128>>>
// A thread waits for its own copies; the element it reads was copied by another thread.
#include <cuda_pipeline.h>

__global__ void broken(const float* x, float* y) {
  __shared__ float tile[128];
  const int t = threadIdx.x;
  __pipeline_memcpy_async(&tile[t], &x[t], 4);
  __pipeline_commit();
  __pipeline_wait_prior(0);
  y[t] = tile[127 - t];
}

__global__ void repaired(const float* x, float* y) {
  __shared__ float tile[128];
  const int t = threadIdx.x;
  __pipeline_memcpy_async(&tile[t], &x[t], 4);
  __pipeline_commit();
  __pipeline_wait_prior(0);
  __syncthreads();
  y[t] = tile[127 - t];
}
