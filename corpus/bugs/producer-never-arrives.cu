// finds: deadlock or barrier-divergence
// arguments: x: const float[32] = ramp, y: float[32], ready: int = 0
// launch: <<<1, 64>>>
// Consumers wait at barrier 2 for the producer warp, which arrives only if there is something new.
__global__ void broken(const float* x, float* y, int ready) {
  __shared__ float tile[32];
  const int t = threadIdx.x;
  if (t < 32) {
    tile[t] = x[t];
    if (ready) {
      __threadfence_block();
      asm volatile("bar.arrive 2, 64;" ::: "memory");
    }
  } else {
    asm volatile("bar.sync 2, 64;" ::: "memory");
    y[t - 32] = tile[63 - t];
  }
}

__global__ void repaired(const float* x, float* y, int ready) {
  __shared__ float tile[32];
  const int t = threadIdx.x;
  if (t < 32) {
    tile[t] = ready ? x[t] : 0.0f;
    __threadfence_block();
    asm volatile("bar.arrive 2, 64;" ::: "memory");
  } else {
    asm volatile("bar.sync 2, 64;" ::: "memory");
    y[t - 32] = tile[63 - t];
  }
}
