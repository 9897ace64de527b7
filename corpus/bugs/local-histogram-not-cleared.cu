// finds: uninitialised-read
// arguments: x: const int[32*8] = random(0, 8), y: int[32]
// launch: <<<1, 32>>>
// A private histogram counts from whatever its memory held.
__global__ void broken(const int* x, int* y) {
  int counts[8];
  for (int k = 0; k < 8; k++) counts[x[threadIdx.x * 8 + k]]++;
  int best = 0;
  for (int k = 1; k < 8; k++) best = counts[k] > counts[best] ? k : best;
  y[threadIdx.x] = best;
}

__global__ void repaired(const int* x, int* y) {
  int counts[8];
  for (int k = 0; k < 8; k++) counts[k] = 0;
  for (int k = 0; k < 8; k++) counts[x[threadIdx.x * 8 + k]]++;
  int best = 0;
  for (int k = 1; k < 8; k++) best = counts[k] > counts[best] ? k : best;
  y[threadIdx.x] = best;
}
