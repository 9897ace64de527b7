// finds: missing-syncwarp or race
// arguments: x: const int[32] = index, y: int[32], z: int[32]
// launch: <<<1, 32>>>
// Lane 31 reuses the broadcast slot for its next value; slower lanes may not have read the first.
__global__ void broken(const int* x, int* y, int* z) {
  __shared__ int slot;
  const int lane = threadIdx.x;
  if (lane == 31) slot = x[31] + 1;
  __syncwarp();
  y[lane] = slot;
  if (lane == 31) slot = x[30] + 7;
  __syncwarp();
  z[lane] = slot;
}

__global__ void repaired(const int* x, int* y, int* z) {
  __shared__ int slot;
  const int lane = threadIdx.x;
  if (lane == 31) slot = x[31] + 1;
  __syncwarp();
  y[lane] = slot;
  __syncwarp();
  if (lane == 31) slot = x[30] + 7;
  __syncwarp();
  z[lane] = slot;
}
