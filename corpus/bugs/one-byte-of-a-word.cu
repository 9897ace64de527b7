// finds: uninitialised-read
// arguments: flags: unsigned char[4*64], y: int[64]
// launch: <<<1, 64>>>
// Each thread writes one byte of four and reads back all four.
__global__ void broken(unsigned char* flags, int* y) {
  const int t = threadIdx.x;
  flags[4 * t] = t;
  y[t] = reinterpret_cast<const int*>(flags)[t];
}

__global__ void repaired(unsigned char* flags, int* y) {
  const int t = threadIdx.x;
  flags[4 * t] = t;
  y[t] = flags[4 * t];
}
