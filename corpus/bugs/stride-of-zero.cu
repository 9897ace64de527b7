// finds: budget-exceeded
// arguments: x: float[64] = ramp, n: int = 64, stride: int = 0
// launch: <<<1, 32>>>
// budget: 300000
// A loop whose step is an argument, and the argument is zero.
__global__ void broken(float* x, int n, int stride) {
  for (int i = threadIdx.x; i < n; i += stride) x[i] += 1.0f;
}

__global__ void repaired(float* x, int n, int stride) {
  const int step = stride > 0 ? stride : blockDim.x;
  for (int i = threadIdx.x; i < n; i += step) x[i] += 1.0f;
}
