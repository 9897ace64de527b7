// finds: stack-overflow
// arguments: x: const int[32] = one, y: int[32], depth: int = 5000
// launch: <<<1, 32>>>
// One frame for each element: the stack of a thread has some kilobytes.
__device__ __noinline__ int sum_down(const int* x, int n) {
  volatile int frame[4];
  frame[n & 3] = n;
  return n == 0 ? 0 : x[n & 31] + sum_down(x, n - 1) + (frame[n & 3] - n);
}

__global__ void broken(const int* x, int* y, int depth) { y[threadIdx.x] = sum_down(x, depth); }

__global__ void repaired(const int* x, int* y, int depth) {
  int sum = 0;
  for (int k = 1; k <= depth; k++) sum += x[k & 31];
  y[threadIdx.x] = sum;
}
