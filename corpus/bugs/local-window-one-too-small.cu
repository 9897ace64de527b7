// finds: out-of-bounds
// arguments: x: const float[64] = ramp, order: const int[64] = random(0, 5), y: float[64]
// launch: <<<1, 32>>>
// Indices go from 0 to 4; the private array has four elements.
__global__ void broken(const float* x, const int* order, float* y) {
  float window[4];
  const int i = threadIdx.x;
  for (int k = 0; k < 4; k++) window[k] = x[i + k];
  y[i] = window[order[i]];
  y[32 + i] = window[order[32 + i]];
}

__global__ void repaired(const float* x, const int* order, float* y) {
  float window[5];
  const int i = threadIdx.x;
  for (int k = 0; k < 5; k++) window[k] = x[i + k];
  y[i] = window[order[i]];
  y[32 + i] = window[order[32 + i]];
}
