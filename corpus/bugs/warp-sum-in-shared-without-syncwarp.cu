// finds: missing-syncwarp or race
// arguments: x: const float[32] = ramp, y: float[1]
// launch: <<<1, 32>>>
// Since Volta the lanes of a warp need not run in step: each level must be separated by __syncwarp.
__global__ void broken(const float* x, float* y) {
  __shared__ float sums[64];
  const int lane = threadIdx.x;
  sums[lane] = x[lane];
  sums[32 + lane] = 0.0f;
  __syncwarp();
  sums[lane] += sums[lane + 16];
  sums[lane] += sums[lane + 8];
  sums[lane] += sums[lane + 4];
  sums[lane] += sums[lane + 2];
  sums[lane] += sums[lane + 1];
  if (lane == 0) *y = sums[0];
}

__global__ void repaired(const float* x, float* y) {
  __shared__ float sums[32];
  const int lane = threadIdx.x;
  sums[lane] = x[lane];
  __syncwarp();
  for (int half = 16; half > 0; half >>= 1) {
    float v = 0.0f;
    if (lane < half) v = sums[lane + half];
    __syncwarp();
    if (lane < half) sums[lane] += v;
    __syncwarp();
  }
  if (lane == 0) *y = sums[0];
}
