// finds: uninitialised-read
// arguments: a: const float[8*8] = ramp, b: const float[8*8] = ramp, c: float[8*8]
// launch: <<<1, (8, 8)>>>
// The output comes from an allocation without initial values, and the kernel adds to it.
__global__ void broken(const float* a, const float* b, float* c) {
  const int row = threadIdx.y, column = threadIdx.x;
  float sum = 0.0f;
  for (int k = 0; k < 8; k++) sum += a[row * 8 + k] * b[k * 8 + column];
  c[row * 8 + column] += sum;
}

__global__ void repaired(const float* a, const float* b, float* c) {
  const int row = threadIdx.y, column = threadIdx.x;
  float sum = 0.0f;
  for (int k = 0; k < 8; k++) sum += a[row * 8 + k] * b[k * 8 + column];
  c[row * 8 + column] = sum;
}
