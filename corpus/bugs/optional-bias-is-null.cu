// finds: out-of-bounds
// arguments: x: const float[128] = ramp, bias: null, y: float[128]
// launch: <<<1, 128>>>
// The bias is optional and absent in this launch: the null pointer is read.
__global__ void broken(const float* x, const float* bias, float* y) {
  const int i = threadIdx.x;
  y[i] = x[i] + bias[i];
}

__global__ void repaired(const float* x, const float* bias, float* y) {
  const int i = threadIdx.x;
  y[i] = x[i] + (bias ? bias[i] : 0.0f);
}
