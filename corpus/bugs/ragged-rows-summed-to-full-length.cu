// finds: uninitialised-read
// arguments: x: const float[8*16] = ramp, lengths: const int[8] = {16, 3, 9, 16, 1, 0, 12, 7}, padded: float[8*16], y: float[8]
// launch: <<<8, 16>>>
// Rows are copied to their own length and summed to the longest.
__global__ void broken(const float* x, const int* lengths, float* padded, float* y) {
  const int row = blockIdx.x, t = threadIdx.x;
  if (t < lengths[row]) padded[row * 16 + t] = x[row * 16 + t];
  __syncthreads();
  if (t != 0) return;
  float sum = 0.0f;
  for (int k = 0; k < 16; k++) sum += padded[row * 16 + k];
  y[row] = sum;
}

__global__ void repaired(const float* x, const int* lengths, float* padded, float* y) {
  const int row = blockIdx.x, t = threadIdx.x;
  if (t < lengths[row]) padded[row * 16 + t] = x[row * 16 + t];
  __syncthreads();
  if (t != 0) return;
  float sum = 0.0f;
  for (int k = 0; k < lengths[row]; k++) sum += padded[row * 16 + k];
  y[row] = sum;
}
