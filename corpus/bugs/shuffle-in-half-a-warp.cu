// finds: absent-lane or deadlock
// arguments: x: const float[32] = ramp, y: float[32]
// launch: <<<1, 32>>>
// The mask names 32 lanes, and only 16 come to this shuffle.
__global__ void broken(const float* x, float* y) {
  const int lane = threadIdx.x;
  float v = x[lane];
  if (lane < 16) v += __shfl_down_sync(0xffffffffu, v, 8);
  y[lane] = v;
}

__global__ void repaired(const float* x, float* y) {
  const int lane = threadIdx.x;
  float v = x[lane];
  if (lane < 16) v += __shfl_down_sync(0x0000ffffu, v, 8, 16);
  y[lane] = v;
}
