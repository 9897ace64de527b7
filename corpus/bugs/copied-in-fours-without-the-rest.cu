// finds: uninitialised-read
// arguments: x: const float[254] = ramp, copy: float[254], y: float[254], n: int = 254
// launch: <<<1, 64>>>
// The copy moves whole groups of four and leaves the last two elements of 254; the second phase reads them all.
__global__ void broken(const float* x, float* copy, float* y, int n) {
  const int t = threadIdx.x;
  for (int i = t; i < n / 4; i += 64) reinterpret_cast<float4*>(copy)[i] = reinterpret_cast<const float4*>(x)[i];
  __syncthreads();
  for (int i = t; i < n; i += 64) y[i] = copy[n - 1 - i];
}

__global__ void repaired(const float* x, float* copy, float* y, int n) {
  const int t = threadIdx.x;
  for (int i = t; i < n / 4; i += 64) reinterpret_cast<float4*>(copy)[i] = reinterpret_cast<const float4*>(x)[i];
  for (int i = n / 4 * 4 + t; i < n; i += 64) copy[i] = x[i];
  __syncthreads();
  for (int i = t; i < n; i += 64) y[i] = copy[n - 1 - i];
}
