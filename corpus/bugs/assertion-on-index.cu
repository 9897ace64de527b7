// finds: assert
// arguments: to: const int[64] = random(0, 40), x: const int[64] = index, y: int[32] = zero
// launch: <<<1, 64>>>
// The assertion says what the caller promised, and the caller did not keep it.
#include <cassert>

__global__ void broken(const int* to, const int* x, int* y) {
  const int k = to[threadIdx.x];
  assert(k < 32);
  atomicAdd(&y[k], x[threadIdx.x]);
}

__global__ void repaired(const int* to, const int* x, int* y) {
  const int k = to[threadIdx.x];
  if (k >= 32) return;
  assert(k < 32);
  atomicAdd(&y[k], x[threadIdx.x]);
}
