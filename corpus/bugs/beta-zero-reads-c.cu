// finds: uninitialised-read
// arguments: ab: const float[128] = ramp, c: float[128], alpha: float = 1, beta: float = 0
// launch: <<<1, 128>>>
// With beta = 0, C may hold anything, NaN too: it must not be read, for 0 * NaN is NaN.
__global__ void broken(const float* ab, float* c, float alpha, float beta) {
  const int i = threadIdx.x;
  c[i] = alpha * ab[i] + beta * c[i];
}

__global__ void repaired(const float* ab, float* c, float alpha, float beta) {
  const int i = threadIdx.x;
  c[i] = beta == 0.0f ? alpha * ab[i] : alpha * ab[i] + beta * c[i];
}
