// finds: deadlock or barrier-divergence
// arguments: y: int[64]
// launch: <<<1, 64>>>
// Warp 0 waits at barrier 1 and then 2, warp 1 at 2 and then 1: each waits for the other.
__global__ void broken(int* y) {
  const int t = threadIdx.x;
  if (t < 32) {
    asm volatile("bar.sync 1, 64;" ::: "memory");
    asm volatile("bar.sync 2, 64;" ::: "memory");
  } else {
    asm volatile("bar.sync 2, 64;" ::: "memory");
    asm volatile("bar.sync 1, 64;" ::: "memory");
  }
  y[t] = t;
}

__global__ void repaired(int* y) {
  const int t = threadIdx.x;
  asm volatile("bar.sync 1, 64;" ::: "memory");
  asm volatile("bar.sync 2, 64;" ::: "memory");
  y[t] = t;
}
