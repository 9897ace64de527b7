// finds: absent-lane
// arguments: x: const float[48] = ramp, y: float[2]
// launch: <<<1, 48>>>
// A block of 48: its second warp has 16 lanes, and lanes that never were cannot take part.
__global__ void broken(const float* x, float* y) {
  const int t = threadIdx.x;
  float v = x[t];
  for (int offset = 16; offset > 0; offset >>= 1) v += __shfl_down_sync(0xffffffffu, v, offset);
  if (t % 32 == 0) y[t / 32] = v;
}

__global__ void repaired(const float* x, float* y) {
  const int t = threadIdx.x;
  const unsigned lanes = t < 32 ? 0xffffffffu : 0x0000ffffu;
  float v = x[t];
  const int width = t < 32 ? 32 : 16;
  for (int offset = width / 2; offset > 0; offset >>= 1) v += __shfl_down_sync(lanes, v, offset, width);
  if (t % 32 == 0) y[t / 32] = v;
}
