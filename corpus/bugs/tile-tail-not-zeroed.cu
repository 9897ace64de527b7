// finds: uninitialised-read
// arguments: x: const float[100] = one, y: float[1], n: int = 100
// launch: <<<1, 128>>>
// Threads past the end store nothing in the tile, and the reduction adds all of it.
__global__ void broken(const float* x, float* y, int n) {
  __shared__ float tile[128];
  const int t = threadIdx.x;
  if (t < n) tile[t] = x[t];
  __syncthreads();
  for (int half = 64; half > 0; half >>= 1) {
    if (t < half) tile[t] += tile[t + half];
    __syncthreads();
  }
  if (t == 0) *y = tile[0];
}

__global__ void repaired(const float* x, float* y, int n) {
  __shared__ float tile[128];
  const int t = threadIdx.x;
  tile[t] = t < n ? x[t] : 0.0f;
  __syncthreads();
  for (int half = 64; half > 0; half >>= 1) {
    if (t < half) tile[t] += tile[t + half];
    __syncthreads();
  }
  if (t == 0) *y = tile[0];
}
