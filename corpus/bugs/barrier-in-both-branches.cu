// finds: barrier-divergence
// arguments: x: const float[128] = ramp, y: float[128]
// launch: <<<1, 128>>>
// Producers and consumers each have a barrier of their own: two different barriers, never reached by all threads.
__global__ void broken(const float* x, float* y) {
  __shared__ float tile[64];
  const int t = threadIdx.x;
  if (t < 64) {
    tile[t] = x[t] * 3.0f;
    __syncthreads();
    y[t] = tile[63 - t];
  } else {
    __syncthreads();
    y[t] = tile[t - 64] + 1.0f;
  }
}

__global__ void repaired(const float* x, float* y) {
  __shared__ float tile[64];
  const int t = threadIdx.x;
  if (t < 64) tile[t] = x[t] * 3.0f;
  __syncthreads();
  y[t] = t < 64 ? tile[63 - t] : tile[t - 64] + 1.0f;
}
