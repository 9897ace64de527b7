// finds: race
// arguments: x: float[32*32] = ramp
// launch: <<<(2, 2), (16, 16)>>>
// Every thread writes its mirror image's place, which its mirror image may not have read yet.
__global__ void broken(float* x) {
  const int c = blockIdx.x * 16 + threadIdx.x, r = blockIdx.y * 16 + threadIdx.y;
  const float v = x[r * 32 + c];
  x[c * 32 + r] = v;
}

__global__ void repaired(float* x) {
  const int c = blockIdx.x * 16 + threadIdx.x, r = blockIdx.y * 16 + threadIdx.y;
  if (c <= r) return;
  const float upper = x[r * 32 + c], lower = x[c * 32 + r];
  x[c * 32 + r] = upper;
  x[r * 32 + c] = lower;
}
