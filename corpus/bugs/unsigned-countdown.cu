// finds: out-of-bounds
// arguments: x: const float[64*8] = ramp, sums: float[64*8], length: unsigned = 8
// launch: <<<1, 64>>>
// An unsigned counter is never below zero: after 0 comes 4294967295.
// budget: 30000
__global__ void broken(const float* x, float* sums, unsigned length) {
  const unsigned row = threadIdx.x * length;
  float sum = 0.0f;
  for (unsigned k = length - 1; k >= 0u; k--) {
    sum += x[row + k];
    sums[row + k] = sum;
  }
}

__global__ void repaired(const float* x, float* sums, unsigned length) {
  const unsigned row = threadIdx.x * length;
  float sum = 0.0f;
  for (unsigned k = length; k-- > 0u;) {
    sum += x[row + k];
    sums[row + k] = sum;
  }
}
