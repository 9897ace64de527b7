// finds: out-of-bounds
// arguments: x: const float[200] = ramp, y: float[200], radius: int = 2
// launch: <<<1, 200>>>
// A filter of radius 2 has taps -2 to 2; the loop counts to 2 * radius + 1 inclusive.
__constant__ float taps[5] = {0.1f, 0.2f, 0.4f, 0.2f, 0.1f};

__global__ void broken(const float* x, float* y, int radius) {
  const int i = threadIdx.x;
  float sum = 0.0f;
  for (int k = 0; k <= 2 * radius + 1; k++) {
    const int j = i + k - radius;
    if (j >= 0 && j < 200) sum += taps[k] * x[j];
  }
  y[i] = sum;
}

__global__ void repaired(const float* x, float* y, int radius) {
  const int i = threadIdx.x;
  float sum = 0.0f;
  for (int k = 0; k <= 2 * radius; k++) {
    const int j = i + k - radius;
    if (j >= 0 && j < 200) sum += taps[k] * x[j];
  }
  y[i] = sum;
}
