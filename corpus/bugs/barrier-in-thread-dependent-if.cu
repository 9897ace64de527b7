// finds: barrier-divergence or deadlock
// arguments: x: const float[128] = ramp, y: float[128], n: int = 40
// launch: <<<1, 128>>>
// Only the first n threads reach the first barrier; the others wait at the next one. The two are not the same barrier.
__global__ void broken(const float* x, float* y, int n) {
  __shared__ float tile[128];
  const int t = threadIdx.x;
  tile[t] = x[t];
  if (t < n) {
    __syncthreads();
    tile[t] = tile[t] * 2.0f;
  }
  __syncthreads();
  y[t] = tile[127 - t];
}

__global__ void repaired(const float* x, float* y, int n) {
  __shared__ float tile[128];
  const int t = threadIdx.x;
  tile[t] = x[t];
  __syncthreads();
  if (t < n) tile[t] = tile[t] * 2.0f;
  __syncthreads();
  y[t] = tile[127 - t];
}
