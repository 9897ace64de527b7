// finds: out-of-bounds
// arguments: x: const float[300] = ramp, y: float[300], n: int = 300
// launch: <<<3, 128>>>
// A three-point average without a boundary rule: element 0 reads index -1.
__global__ void broken(const float* x, float* y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const float right = i + 1 < n ? x[i + 1] : x[i];
  y[i] = (x[i - 1] + x[i] + right) / 3.0f;
}

__global__ void repaired(const float* x, float* y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const float right = i + 1 < n ? x[i + 1] : x[i];
  const float left = i > 0 ? x[i - 1] : x[i];
  y[i] = (left + x[i] + right) / 3.0f;
}
