// finds: race
// arguments: x: const unsigned char[128] = index, y: unsigned[32]
// launch: <<<1, 128>>>
// Bytes are written by four threads and read as one word by another, with no barrier: a race of different sizes.
__global__ void broken(const unsigned char* x, unsigned* y) {
  __shared__ unsigned words[32];
  const int t = threadIdx.x;
  if (t < 32) words[t] = 0;
  __syncthreads();
  reinterpret_cast<unsigned char*>(words)[t] = x[t];
  if (t < 32) y[t] = words[31 - t];
}

__global__ void repaired(const unsigned char* x, unsigned* y) {
  __shared__ unsigned words[32];
  const int t = threadIdx.x;
  reinterpret_cast<unsigned char*>(words)[t] = x[t];
  __syncthreads();
  if (t < 32) y[t] = words[31 - t];
}
