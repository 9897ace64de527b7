// finds: misaligned
// arguments: x: const float[8*33] = ramp, y: float[8] = zero
// launch: <<<1, 8>>>
// Rows of 33 floats: row 0 is aligned for float4, row 1 is not.
__global__ void broken(const float* x, float* y) {
  const float* row = x + threadIdx.x * 33;
  float sum = row[32];
  for (int k = 0; k < 8; k++) {
    const float4 v = reinterpret_cast<const float4*>(row)[k];
    sum += v.x + v.y + v.z + v.w;
  }
  y[threadIdx.x] = sum;
}

__global__ void repaired(const float* x, float* y) {
  const float* row = x + threadIdx.x * 33;
  float sum = 0.0f;
  for (int k = 0; k < 33; k++) sum += row[k];
  y[threadIdx.x] = sum;
}
