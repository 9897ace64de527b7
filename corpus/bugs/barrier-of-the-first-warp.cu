// finds: barrier-divergence or deadlock
// arguments: x: const float[64] = ramp, y: float[64]
// launch: <<<1, 64>>>
// Warp 0 has one barrier more than warp 1.
__global__ void broken(const float* x, float* y) {
  __shared__ float tile[64];
  const int t = threadIdx.x;
  tile[t] = x[t];
  if (t < 32) {
    __syncthreads();
    const float other = tile[t + 32];
    __syncthreads();
    tile[t] = other;
  } else {
    __syncthreads();
    tile[t] *= 2.0f;
  }
  __syncthreads();
  y[t] = tile[t];
}

__global__ void repaired(const float* x, float* y) {
  __shared__ float tile[64];
  const int t = threadIdx.x;
  tile[t] = x[t];
  __syncthreads();
  const float other = t < 32 ? tile[t + 32] : 2.0f * tile[t];
  __syncthreads();
  tile[t] = other;
  __syncthreads();
  y[t] = tile[t];
}
