// finds: stale-read
// arguments: x: const float[4*64] = ramp, y: float[4*64]
// launch: <<<4, 64>>>
// The row is written to y and read back as __ldg reads: the read-only cache may still hold what y held before the kernel began, whatever barrier lies between.
__global__ void broken(const float* x, float* y) {
  int row = blockIdx.x * 64, t = threadIdx.x;
  y[row + t] = 2 * x[row + t];
  __syncthreads();
  float other = __ldg(y + row + (t + 1) % 64);
  __syncthreads();
  y[row + t] += other;
}

__global__ void repaired(const float* x, float* y) {
  int row = blockIdx.x * 64, t = threadIdx.x;
  y[row + t] = 2 * x[row + t];
  __syncthreads();
  float other = y[row + (t + 1) % 64];
  __syncthreads();
  y[row + t] += other + 0 * __ldg(x + row + t);
}
