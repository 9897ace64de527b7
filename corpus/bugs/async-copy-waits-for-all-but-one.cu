// finds: unfinished-async-copy or uninitialised-read
// arguments: x: const float[4*64] = ramp, y: float[64]
// launch: <<<1, 64>>>
// In the last round only one group is left, and "all but the newest" waits for nothing.
__global__ void broken(const float* x, float* y) {
  __shared__ float stage[2][64];
  const int t = threadIdx.x;
  auto fetch = [&](int k) {
    const unsigned to = __cvta_generic_to_shared(&stage[k & 1][t]);
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(to), "l"(x + k * 64 + t) : "memory");
    asm volatile("cp.async.commit_group;" ::: "memory");
  };
  float sum = 0.0f;
  fetch(0);
  for (int k = 0; k < 4; k++) {
    if (k + 1 < 4) fetch(k + 1);
    asm volatile("cp.async.wait_group 1;" ::: "memory");
    __syncthreads();
    sum += stage[k & 1][63 - t];
    __syncthreads();
  }
  y[t] = sum;
}

__global__ void repaired(const float* x, float* y) {
  __shared__ float stage[2][64];
  const int t = threadIdx.x;
  auto fetch = [&](int k) {
    const unsigned to = __cvta_generic_to_shared(&stage[k & 1][t]);
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(to), "l"(x + k * 64 + t) : "memory");
    asm volatile("cp.async.commit_group;" ::: "memory");
  };
  float sum = 0.0f;
  fetch(0);
  for (int k = 0; k < 4; k++) {
    if (k + 1 < 4) {
      fetch(k + 1);
      asm volatile("cp.async.wait_group 1;" ::: "memory");
    } else {
      asm volatile("cp.async.wait_group 0;" ::: "memory");
    }
    __syncthreads();
    sum += stage[k & 1][63 - t];
    __syncthreads();
  }
  y[t] = sum;
}
