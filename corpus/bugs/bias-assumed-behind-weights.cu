// finds: out-of-bounds
// arguments: w: const float[64] = ramp, b: const float[64] = one, y: float[64]
// launch: <<<1, 64>>>
// Weights and bias came from one packed buffer once, 128 floats apart. Now they are two allocations: the pointer into
// `w` may land in `b` by luck, and is still a pointer into `w`.
__global__ void broken(const float* w, const float* b, float* y) {
  const int i = threadIdx.x;
  y[i] = w[i] + w[128 + i];
}

__global__ void repaired(const float* w, const float* b, float* y) {
  const int i = threadIdx.x;
  y[i] = w[i] + b[i];
}
