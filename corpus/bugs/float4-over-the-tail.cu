// finds: out-of-bounds
// arguments: x: const float[1022] = ramp, y: float[1022], n: int = 1022
// launch: <<<1, 256>>>
// 1022 is no multiple of 4: the last 16-byte access has two floats in the array and two behind it.
__global__ void broken(const float* x, float* y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (4 * i >= n) return;
  float4 v = reinterpret_cast<const float4*>(x)[i];
  v.x *= 2.0f, v.y *= 2.0f, v.z *= 2.0f, v.w *= 2.0f;
  reinterpret_cast<float4*>(y)[i] = v;
}

__global__ void repaired(const float* x, float* y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (4 * i + 3 < n) {
    float4 v = reinterpret_cast<const float4*>(x)[i];
    v.x *= 2.0f, v.y *= 2.0f, v.z *= 2.0f, v.w *= 2.0f;
    reinterpret_cast<float4*>(y)[i] = v;
  } else {
    for (int k = 4 * i; k < n; k++) y[k] = 2.0f * x[k];
  }
}
