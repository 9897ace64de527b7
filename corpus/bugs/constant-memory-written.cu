// finds: write-to-readonly
// arguments: x: const float[32] = ramp, y: float[32]
// launch: <<<1, 32>>>
// A pointer to constant memory, its const cast away, is written through.
__constant__ float scale[2] = {0.5f, 2.0f};

__device__ __noinline__ void put(float* where, float value) { *where = value; }

__global__ void broken(const float* x, float* y) {
  if (threadIdx.x == 0) put(const_cast<float*>(&scale[1]), x[0]);
  y[threadIdx.x] = x[threadIdx.x] * scale[0];
}

__global__ void repaired(const float* x, float* y) {
  if (threadIdx.x == 0) put(y, x[0] * scale[0]);
  else y[threadIdx.x] = x[threadIdx.x] * scale[0];
}
