// finds: trap
// arguments: mode: int = 3, x: const float[32] = ramp, y: float[32]
// launch: <<<1, 32>>>
// A mode that the kernel does not know ends in __trap.
__global__ void broken(int mode, const float* x, float* y) {
  const int t = threadIdx.x;
  switch (mode) {
    case 0: y[t] = x[t]; break;
    case 1: y[t] = -x[t]; break;
    default: __trap();
  }
}

__global__ void repaired(int mode, const float* x, float* y) {
  const int t = threadIdx.x;
  switch (mode) {
    case 0: y[t] = x[t]; break;
    case 1: y[t] = -x[t]; break;
    case 3: y[t] = fabsf(x[t]); break;
    default: __trap();
  }
}
