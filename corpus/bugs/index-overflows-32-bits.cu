// finds: out-of-bounds
// arguments: table: const float[4096] = ramp, y: float[128], stride: int = 40000003
// launch: <<<1, 128>>>
// The product passes 2^31 from thread 54 on and turns negative; so does its remainder.
__global__ void broken(const float* table, float* y, int stride) {
  const int i = threadIdx.x;
  y[i] = table[(i * stride) % 4096];
}

__global__ void repaired(const float* table, float* y, int stride) {
  const int i = threadIdx.x;
  y[i] = table[(static_cast<long long>(i) * stride) % 4096];
}
