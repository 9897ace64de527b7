// finds: race
// arguments: x: const float[128] = ramp, y: float[128]
// launch: <<<1, 128>>>
// Thread 0 computes the mean for all; the others read it at once.
__global__ void broken(const float* x, float* y) {
  __shared__ float mean;
  if (threadIdx.x == 0) {
    float sum = 0.0f;
    for (int k = 0; k < 128; k++) sum += x[k];
    mean = sum / 128.0f;
  }
  y[threadIdx.x] = x[threadIdx.x] - mean;
}

__global__ void repaired(const float* x, float* y) {
  __shared__ float mean;
  if (threadIdx.x == 0) {
    float sum = 0.0f;
    for (int k = 0; k < 128; k++) sum += x[k];
    mean = sum / 128.0f;
  }
  __syncthreads();
  y[threadIdx.x] = x[threadIdx.x] - mean;
}
