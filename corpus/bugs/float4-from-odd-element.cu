// finds: misaligned
// arguments: x: const float[257] = ramp, y: float[256]
// launch: <<<1, 64>>>
// Skipping one header element leaves a pointer that is aligned to 4 bytes; a float4 wants 16.
__global__ void broken(const float* x, float* y) {
  const int i = threadIdx.x;
  const float4 v = reinterpret_cast<const float4*>(x + 1)[i];
  y[4 * i] = v.x, y[4 * i + 1] = v.y, y[4 * i + 2] = v.z, y[4 * i + 3] = v.w;
}

__global__ void repaired(const float* x, float* y) {
  const int i = threadIdx.x;
  for (int k = 0; k < 4; k++) y[4 * i + k] = x[1 + 4 * i + k];
}
