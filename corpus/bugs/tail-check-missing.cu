// finds: out-of-bounds
// arguments: x: const float[1000] = ramp, y: float[1000] = one, a: float = 2, n: int = 1000
// launch: <<<4, 256>>>
// The grid is rounded up to whole blocks and nothing stops the last 24 threads.
__global__ void broken(const float* x, float* y, float a, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  y[i] = a * x[i] + y[i];
}

__global__ void repaired(const float* x, float* y, float a, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = a * x[i] + y[i];
}
