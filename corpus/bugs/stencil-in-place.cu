// finds: race
// arguments: u: float[256] = ramp, next: float[256], n: int = 256
// launch: <<<2, 128>>>
// Smoothing in place reads neighbours that other threads, and other blocks, have perhaps already replaced.
__global__ void broken(float* u, float* next, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i > 0 && i + 1 < n) u[i] = 0.25f * u[i - 1] + 0.5f * u[i] + 0.25f * u[i + 1];
}

__global__ void repaired(float* u, float* next, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) next[i] = i > 0 && i + 1 < n ? 0.25f * u[i - 1] + 0.5f * u[i] + 0.25f * u[i + 1] : u[i];
}
