// finds: race
// arguments: x: const float[256] = ramp, y: float[256], z: float[256]
// launch: <<<2, 128>>>
// __syncthreads orders one block; the value at the seam comes from the other block, which may not have run.
__device__ float squared(float v) { return v * v; }

__global__ void broken(const float* x, float* y, float* z) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  y[i] = squared(x[i]);
  __syncthreads();
  z[i] = i > 0 ? y[i] - y[i - 1] : 0.0f;
}

__global__ void repaired(const float* x, float* y, float* z) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  y[i] = squared(x[i]);
  __syncthreads();
  const float left = threadIdx.x > 0 ? y[i - 1] : i > 0 ? squared(x[i - 1]) : y[i];
  z[i] = y[i] - left;
}
