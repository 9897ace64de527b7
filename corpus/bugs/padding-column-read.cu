// finds: uninitialised-read
// arguments: x: const float[32*32] = ramp, y: float[32]
// launch: <<<1, (32, 32)>>>
// The tile has a padding column against bank conflicts; the row sum adds it.
__global__ void broken(const float* x, float* y) {
  __shared__ float tile[32][33];
  tile[threadIdx.y][threadIdx.x] = x[threadIdx.y * 32 + threadIdx.x];
  __syncthreads();
  if (threadIdx.y != 0) return;
  float sum = 0.0f;
  for (int k = 0; k < 33; k++) sum += tile[threadIdx.x][k];
  y[threadIdx.x] = sum;
}

__global__ void repaired(const float* x, float* y) {
  __shared__ float tile[32][33];
  tile[threadIdx.y][threadIdx.x] = x[threadIdx.y * 32 + threadIdx.x];
  __syncthreads();
  if (threadIdx.y != 0) return;
  float sum = 0.0f;
  for (int k = 0; k < 32; k++) sum += tile[threadIdx.x][k];
  y[threadIdx.x] = sum;
}
