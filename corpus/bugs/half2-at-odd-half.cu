// finds: misaligned
// arguments: x: const half[130] = ramp, y: half[128]
// launch: <<<1, 64>>>
// half2 wants 4 bytes of alignment; a window that starts at an odd half has 2.
#include <cuda_fp16.h>

__global__ void broken(const __half* x, __half* y) {
  const int i = threadIdx.x;
  const __half2 v = *reinterpret_cast<const __half2*>(x + 2 * i + 1);
  y[2 * i] = __low2half(v);
  y[2 * i + 1] = __high2half(v);
}

__global__ void repaired(const __half* x, __half* y) {
  const int i = threadIdx.x;
  y[2 * i] = x[2 * i + 1];
  y[2 * i + 1] = x[2 * i + 2];
}
