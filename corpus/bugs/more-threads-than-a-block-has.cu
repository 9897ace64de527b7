// finds: bad-launch
// arguments: x: const float[2048] = ramp, y: float[2048]
// broken launch: <<<1, 2048>>>
// repaired launch: <<<2, 1024>>>
// No GPU runs a block of 2,048 threads: the launch fails, and y is left as it was.
__global__ void broken(const float* x, float* y) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  y[i] = 2.0f * x[i];
}

__global__ void repaired(const float* x, float* y) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  y[i] = 2.0f * x[i];
}
