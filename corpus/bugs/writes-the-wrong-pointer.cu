// finds: write-to-readonly
// arguments: q: const float[64] = ramp, k: const float[64] = ramp, out: float[64]
// launch: <<<1, 64>>>
// A slip of the pen: the result goes over the keys.
__global__ void broken(float* q, float* k, float* out) {
  const int i = threadIdx.x;
  const float score = q[i] * k[i];
  out[i] = score;
  k[i] = score * 0.125f;
}

__global__ void repaired(float* q, float* k, float* out) {
  const int i = threadIdx.x;
  const float score = q[i] * k[i];
  out[i] = score * 0.125f;
}
