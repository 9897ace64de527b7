// finds: race
// arguments: x: const int[256] = random(-9, 9), bitmap: unsigned[8] = zero
// launch: <<<2, 128>>>
// Setting one bit is a read and a write of the whole word; the other bits' threads do the same.
__global__ void broken(const int* x, unsigned* bitmap) {
  const int i = blockIdx.x * 128 + threadIdx.x;
  if (x[i] > 0) bitmap[i / 32] |= 1u << (i % 32);
}

__global__ void repaired(const int* x, unsigned* bitmap) {
  const int i = blockIdx.x * 128 + threadIdx.x;
  if (x[i] > 0) atomicOr(&bitmap[i / 32], 1u << (i % 32));
}
