// finds: race
// arguments: value: float[1], ready: int[1] = zero, y: float[1]
// launch: <<<2, 1>>>
// volatile makes the flag's accesses happen; it does not order the value before it.
__global__ void broken(float* value, volatile int* ready, float* y) {
  if (blockIdx.x == 0) {
    *value = 42.0f;
    *ready = 1;
  } else {
    while (*ready == 0) {}
    *y = *value;
  }
}

__global__ void repaired(float* value, volatile int* ready, float* y) {
  if (blockIdx.x == 0) {
    *value = 42.0f;
    __threadfence();
    *ready = 1;
  } else {
    while (*ready == 0) {}
    __threadfence();
    *y = *value;
  }
}
