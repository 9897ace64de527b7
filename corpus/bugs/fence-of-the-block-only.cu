// finds: race
// arguments: value: float[1], ready: int[1] = zero, y: float[1]
// launch: <<<2, 1>>>
// __threadfence_block orders for threads of the same block; the reader is in another.
__global__ void broken(float* value, int* ready, float* y) {
  if (blockIdx.x == 0) {
    *value = 7.0f;
    __threadfence_block();
    atomicExch(ready, 1);
  } else {
    while (atomicAdd(ready, 0) == 0) {}
    __threadfence_block();
    *y = *value;
  }
}

__global__ void repaired(float* value, int* ready, float* y) {
  if (blockIdx.x == 0) {
    *value = 7.0f;
    __threadfence();
    atomicExch(ready, 1);
  } else {
    while (atomicAdd(ready, 0) == 0) {}
    __threadfence();
    *y = *value;
  }
}
