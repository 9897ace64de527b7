// finds: misaligned
// arguments: x: const int[130] = index, y: int[64]
// launch: <<<1, 64>>>
// The 8-byte shared access starts at an odd 4-byte element.
__global__ void broken(const int* x, int* y) {
  __shared__ __align__(16) int s[130];
  const int t = threadIdx.x;
  s[t] = x[t], s[64 + t] = x[64 + t];
  if (t < 2) s[128 + t] = x[128 + t];
  __syncthreads();
  const int2 pair = *reinterpret_cast<const int2*>(&s[2 * t + 1]);
  y[t] = pair.x + pair.y;
}

__global__ void repaired(const int* x, int* y) {
  __shared__ __align__(16) int s[130];
  const int t = threadIdx.x;
  s[t] = x[t], s[64 + t] = x[64 + t];
  if (t < 2) s[128 + t] = x[128 + t];
  __syncthreads();
  y[t] = s[2 * t + 1] + s[2 * t + 2];
}
