// finds: missing-syncwarp or race
// arguments: x: const float[4*32] = ramp, y: float[4*32]
// launch: <<<1, 128>>>
// Each warp turns round its own 32 values through its own piece of shared memory, without __syncwarp.
__global__ void broken(const float* x, float* y) {
  __shared__ float stage[4][32];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  stage[warp][lane] = x[threadIdx.x];
  y[threadIdx.x] = stage[warp][31 - lane];
}

__global__ void repaired(const float* x, float* y) {
  __shared__ float stage[4][32];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  stage[warp][lane] = x[threadIdx.x];
  __syncwarp();
  y[threadIdx.x] = stage[warp][31 - lane];
}
