// finds: uninitialised-read
// arguments: slot: const int[32] = index, y: int[32]
// launch: <<<1, 32>>>
// Every other element of a private array is set; the index is any.
__global__ void broken(const int* slot, int* y) {
  int table[16];
  for (int k = 0; k < 16; k += 2) table[k] = k * k + slot[0];
  y[threadIdx.x] = table[slot[threadIdx.x] & 15];
}

__global__ void repaired(const int* slot, int* y) {
  int table[16];
  for (int k = 0; k < 16; k++) table[k] = k * k + slot[0];
  y[threadIdx.x] = table[slot[threadIdx.x] & 15];
}
