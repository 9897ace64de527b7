// finds: missing-syncwarp or race
// arguments: x: const int[64] = random(0, 100), y: int[64]
// launch: <<<1, 64>>>
// Lane 0 leaves a value in shared memory for its warp; the others read without waiting for it.
__global__ void broken(const int* x, int* y) {
  __shared__ int base[2];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  if (lane == 0) base[warp] = x[threadIdx.x] * 10;
  y[threadIdx.x] = base[warp] + lane;
}

__global__ void repaired(const int* x, int* y) {
  __shared__ int base[2];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  if (lane == 0) base[warp] = x[threadIdx.x] * 10;
  __syncwarp();
  y[threadIdx.x] = base[warp] + lane;
}
