// finds: deadlock or barrier-divergence
// arguments: x: const float[64] = ramp, y: float[64]
// launch: <<<1, 64>>>
// Barrier 1 waits for 96 threads; the block has 64.
__global__ void broken(const float* x, float* y) {
  __shared__ float tile[64];
  const int t = threadIdx.x;
  tile[t] = x[t];
  asm volatile("bar.sync 1, 96;" ::: "memory");
  y[t] = tile[63 - t];
}

__global__ void repaired(const float* x, float* y) {
  __shared__ float tile[64];
  const int t = threadIdx.x;
  tile[t] = x[t];
  asm volatile("bar.sync 1, 64;" ::: "memory");
  y[t] = tile[63 - t];
}
