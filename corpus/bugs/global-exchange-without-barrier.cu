// finds: race
// arguments: x: const float[128] = ramp, scratch: float[128], y: float[128]
// launch: <<<1, 128>>>
// Threads of one block exchange values through global memory without a barrier.
__global__ void broken(const float* x, float* scratch, float* y) {
  const int t = threadIdx.x;
  scratch[t] = x[t] * x[t];
  y[t] = scratch[t ^ 64];
}

__global__ void repaired(const float* x, float* scratch, float* y) {
  const int t = threadIdx.x;
  scratch[t] = x[t] * x[t];
  __syncthreads();
  y[t] = scratch[t ^ 64];
}
