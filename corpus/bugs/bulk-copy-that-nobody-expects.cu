// finds: uninitialised-read or deadlock
// arguments: x: const float[128] = ramp, y: float[128]
// launch: <<<1, 128>>>
// Nobody has told the mbarrier to expect the bytes: its phase ends before they have landed.

__device__ unsigned shared(const void* p) { return (unsigned)__cvta_generic_to_shared(p); }
__device__ void expect(unsigned long long* bar, int bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared(bar)), "r"(bytes) : "memory");
}
__device__ void arrive(unsigned long long* bar) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared(bar)) : "memory");
}
__device__ void load(void* to, const void* from, int bytes, unsigned long long* bar) {
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(shared(to)),
               "l"(from), "r"(bytes), "r"(shared(bar))
               : "memory");
}
__device__ void wait(unsigned long long* bar) {
  asm volatile(
      "{.reg .pred p; again: mbarrier.try_wait.parity.shared::cta.b64 p, [%0], 0; @p bra done; bra again; done: }" ::"r"(
          shared(bar))
      : "memory");
}
__device__ void start(unsigned long long* bar) {
  if (threadIdx.x == 0)
    asm volatile("mbarrier.init.shared::cta.b64 [%0], 1; fence.mbarrier_init.release.cluster;" ::"r"(shared(bar)) : "memory");
  __syncthreads();
}

__global__ void broken(const float* x, float* y) {
  __shared__ __align__(128) float tile[128];
  __shared__ unsigned long long bar;
  const int t = threadIdx.x;
  start(&bar);
  if (t == 0) {
    arrive(&bar);
    load(tile, x, sizeof tile, &bar);
  }
  wait(&bar);
  y[t] = tile[127 - t];
}

__global__ void repaired(const float* x, float* y) {
  __shared__ __align__(128) float tile[128];
  __shared__ unsigned long long bar;
  const int t = threadIdx.x;
  start(&bar);
  if (t == 0) {
    expect(&bar, sizeof tile);
    load(tile, x, sizeof tile, &bar);
  }
  wait(&bar);
  y[t] = tile[127 - t];
}
