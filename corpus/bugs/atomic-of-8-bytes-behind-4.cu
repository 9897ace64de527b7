// finds: misaligned
// arguments: counters: unsigned[4] = zero, x: const unsigned[128] = index
// launch: <<<1, 128>>>
// The 64-bit total was put behind one 32-bit counter: its address is no multiple of 8.
__global__ void broken(unsigned* counters, const unsigned* x) {
  atomicAdd(&counters[0], 1u);
  atomicAdd(reinterpret_cast<unsigned long long*>(&counters[1]), static_cast<unsigned long long>(x[threadIdx.x]));
}

__global__ void repaired(unsigned* counters, const unsigned* x) {
  atomicAdd(&counters[0], 1u);
  atomicAdd(reinterpret_cast<unsigned long long*>(&counters[2]), static_cast<unsigned long long>(x[threadIdx.x]));
}
