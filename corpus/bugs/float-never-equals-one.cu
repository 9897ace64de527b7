// finds: budget-exceeded
// arguments: x: const float[32] = 0.05, y: int[32]
// launch: <<<1, 32>>>
// budget: 300000
// Counts tenths until the value equals 1; adding 0.1 to 0.05 steps over it.
__global__ void broken(const float* x, int* y) {
  int steps = 0;
  for (float v = x[threadIdx.x]; v != 1.0f; v += 0.1f) steps++;
  y[threadIdx.x] = steps;
}

__global__ void repaired(const float* x, int* y) {
  int steps = 0;
  for (float v = x[threadIdx.x]; v < 0.95f; v += 0.1f) steps++;
  y[threadIdx.x] = steps;
}
