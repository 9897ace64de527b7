// finds: race
// arguments: value: int[1], first: int[1] = zero, second: int[1] = zero, y: int[1]
// launch: <<<3, 1>>>
// Block 1 hands on the word of block 0 that the value is ready; without a fence of its own it hands on the word alone.
__device__ void wait_for(int* flag) {
  while (atomicAdd(flag, 0) == 0) {}
}

__global__ void broken(int* value, int* first, int* second, int* y) {
  if (blockIdx.x == 0) {
    *value = 11;
    __threadfence();
    atomicExch(first, 1);
  } else if (blockIdx.x == 1) {
    wait_for(first);
    atomicExch(second, 1);
  } else {
    wait_for(second);
    __threadfence();
    *y = *value;
  }
}

__global__ void repaired(int* value, int* first, int* second, int* y) {
  if (blockIdx.x == 0) {
    *value = 11;
    __threadfence();
    atomicExch(first, 1);
  } else if (blockIdx.x == 1) {
    wait_for(first);
    __threadfence();
    atomicExch(second, 1);
  } else {
    wait_for(second);
    __threadfence();
    *y = *value;
  }
}
