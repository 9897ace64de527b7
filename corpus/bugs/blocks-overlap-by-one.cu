// finds: race
// arguments: x: const float[257] = ramp, y: float[257]
// launch: <<<2, 128>>>
// Each block writes 129 elements, so the last of one block is the first of the next.
__global__ void broken(const float* x, float* y) {
  const int first = blockIdx.x * 128;
  for (int k = threadIdx.x; k <= 128; k += 128) y[first + k] = x[first + k] + blockIdx.x;
}

__global__ void repaired(const float* x, float* y) {
  const int first = blockIdx.x * 128;
  const int last = blockIdx.x + 1 == gridDim.x ? 128 : 127;
  for (int k = threadIdx.x; k <= last; k += 128) y[first + k] = x[first + k] + blockIdx.x;
}
