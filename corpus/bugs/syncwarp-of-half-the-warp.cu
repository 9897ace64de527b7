// finds: missing-syncwarp or race
// arguments: x: const int[32] = index, y: int[32]
// launch: <<<1, 32>>>
// The halves synchronise each within itself, and then read each other's values.
__global__ void broken(const int* x, int* y) {
  __shared__ int s[32];
  const int lane = threadIdx.x;
  s[lane] = x[lane];
  if (lane < 16) __syncwarp(0x0000ffffu);
  else __syncwarp(0xffff0000u);
  y[lane] = s[lane ^ 16];
}

__global__ void repaired(const int* x, int* y) {
  __shared__ int s[32];
  const int lane = threadIdx.x;
  s[lane] = x[lane];
  __syncwarp();
  y[lane] = s[lane ^ 16];
}
