// finds: write-to-readonly
// arguments: x: const float[128] = ramp, y: float[128]
// launch: <<<1, 128>>>
// The input is scaled in place behind the caller's back.
__global__ void broken(const float* x, float* y) {
  float* mutable_x = const_cast<float*>(x);
  const int i = threadIdx.x;
  mutable_x[i] *= 0.25f;
  y[i] = mutable_x[i] + 1.0f;
}

__global__ void repaired(const float* x, float* y) {
  const int i = threadIdx.x;
  const float scaled = x[i] * 0.25f;
  y[i] = scaled + 1.0f;
}
