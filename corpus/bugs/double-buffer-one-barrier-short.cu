// finds: race
// arguments: x: const float[8*64] = ramp, y: float[64]
// launch: <<<1, 64>>>
// Only the first round waits: later ones read a buffer that is being filled, and fill one that is being read.
__global__ void broken(const float* x, float* y) {
  __shared__ float buffer[2][64];
  const int t = threadIdx.x;
  float sum = 0.0f;
  buffer[0][t] = x[t];
  for (int k = 0; k < 8; k++) {
    if (k == 0) __syncthreads();
    if (k + 1 < 8) buffer[(k + 1) & 1][t] = x[(k + 1) * 64 + t];
    sum += buffer[k & 1][63 - t];
  }
  y[t] = sum;
}

__global__ void repaired(const float* x, float* y) {
  __shared__ float buffer[2][64];
  const int t = threadIdx.x;
  float sum = 0.0f;
  buffer[0][t] = x[t];
  for (int k = 0; k < 8; k++) {
    __syncthreads();
    if (k + 1 < 8) buffer[(k + 1) & 1][t] = x[(k + 1) * 64 + t];
    sum += buffer[k & 1][63 - t];
  }
  y[t] = sum;
}
