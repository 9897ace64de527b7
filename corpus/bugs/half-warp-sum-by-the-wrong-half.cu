// finds: absent-lane
// arguments: x: const float[48] = ramp, y: float[2]
// launch: <<<1, 48>>>
// The last warp has 16 lanes. Its sum by shuffles is right in lane 0, whatever its upper lanes read; here lane 8 is used.
__device__ float warp_sum(float v) {
  const unsigned lanes = threadIdx.x < 32 ? 0xffffffffu : 0xffffu;
  for (int offset = 16; offset > 0; offset >>= 1) {
    const float other = __shfl_down_sync(lanes, v, offset);
    if (lanes == 0xffffffffu || offset < 16) v += other;
  }
  return v;
}

__global__ void broken(const float* x, float* y) {
  const float sum = warp_sum(x[threadIdx.x]);
  if (threadIdx.x == 0 || threadIdx.x == 40) y[threadIdx.x / 32] = sum;
}

__global__ void repaired(const float* x, float* y) {
  const float sum = warp_sum(x[threadIdx.x]);
  if (threadIdx.x % 32 == 0) y[threadIdx.x / 32] = sum;
}
