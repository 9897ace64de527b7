// finds: uninitialised-read
// arguments: pushes: const int[32] = random(1, 8), y: int[32]
// launch: <<<1, 32>>>
// Pushes some values on a private stack and always pops eight.
__global__ void broken(const int* pushes, int* y) {
  int stack[8];
  const int depth = pushes[threadIdx.x];
  for (int k = 0; k < depth; k++) stack[k] = k + 1;
  int sum = 0;
  for (int k = 7; k >= 0; k--) sum = 3 * sum + stack[(k + depth) & 7];
  y[threadIdx.x] = sum;
}

__global__ void repaired(const int* pushes, int* y) {
  int stack[8];
  const int depth = pushes[threadIdx.x];
  for (int k = 0; k < depth; k++) stack[k] = k + 1;
  int sum = 0;
  for (int k = depth - 1; k >= 0; k--) sum = 3 * sum + stack[k];
  y[threadIdx.x] = sum;
}
