// finds: absent-lane or deadlock
// arguments: x: const float[50] = ramp, y: float[1] = zero, n: int = 50
// launch: <<<1, 64>>>
// Threads past the end have returned; the full mask still names them, and the second warp's sum takes their values in.
__global__ void broken(const float* x, float* y, int n) {
  const int t = threadIdx.x;
  if (t >= n) return;
  float v = x[t];
  for (int offset = 16; offset > 0; offset >>= 1) v += __shfl_down_sync(0xffffffffu, v, offset);
  if (t % 32 == 0) atomicAdd(y, v);
}

__global__ void repaired(const float* x, float* y, int n) {
  const int t = threadIdx.x;
  float v = t < n ? x[t] : 0.0f;
  for (int offset = 16; offset > 0; offset >>= 1) v += __shfl_down_sync(0xffffffffu, v, offset);
  if (t % 32 == 0) atomicAdd(y, v);
}
