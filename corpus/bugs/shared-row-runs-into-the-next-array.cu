// finds: out-of-bounds
// arguments: x: const float[65] = ramp, y: float[64]
// launch: <<<1, 64>>>
// The window reads one past its array, where the compiler happened to put another shared array.
__global__ void broken(const float* x, float* y) {
  __shared__ float row[64];
  __shared__ float scale[64];
  const int t = threadIdx.x;
  row[t] = x[t];
  scale[t] = 0.5f;
  __syncthreads();
  y[t] = (row[t] + row[t + 1]) * scale[63 - t];
}

__global__ void repaired(const float* x, float* y) {
  __shared__ float row[65];
  __shared__ float scale[64];
  const int t = threadIdx.x;
  row[t] = x[t];
  if (t == 0) row[64] = x[64];
  scale[t] = 0.5f;
  __syncthreads();
  y[t] = (row[t] + row[t + 1]) * scale[63 - t];
}
