// finds: out-of-bounds
// arguments: x: const float[256] = ramp, y: float[256], n: int = 256
// launch: <<<2, 128>>>
// The guard protects the write; the read of the right neighbour runs one element off the end.
__global__ void broken(const float* x, float* y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = x[i + 1] - x[i];
}

__global__ void repaired(const float* x, float* y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = i + 1 < n ? x[i + 1] - x[i] : 0.0f;
}
