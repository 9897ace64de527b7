// finds: race
// arguments: x: const float[256] = ramp, scratch: float[256], y: float[256]
// launch: <<<2, 128>>>
// Scratch memory is indexed by the thread alone: the blocks overwrite each other's.
__global__ void broken(const float* x, float* scratch, float* y) {
  const int t = threadIdx.x, i = blockIdx.x * 128 + t;
  scratch[t] = x[i] + 1.0f;
  __syncthreads();
  y[i] = scratch[127 - t];
}

__global__ void repaired(const float* x, float* scratch, float* y) {
  const int t = threadIdx.x, i = blockIdx.x * 128 + t;
  scratch[i] = x[i] + 1.0f;
  __syncthreads();
  y[i] = scratch[blockIdx.x * 128 + 127 - t];
}
