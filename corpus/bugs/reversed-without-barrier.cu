// finds: race
// arguments: x: const float[256] = ramp, y: float[256]
// launch: <<<1, 256>>>
// Reads what another thread stored, with no barrier between.
__global__ void broken(const float* x, float* y) {
  __shared__ float tile[256];
  const int t = threadIdx.x;
  tile[t] = x[t];
  y[t] = tile[255 - t];
}

__global__ void repaired(const float* x, float* y) {
  __shared__ float tile[256];
  const int t = threadIdx.x;
  tile[t] = x[t];
  __syncthreads();
  y[t] = tile[255 - t];
}
