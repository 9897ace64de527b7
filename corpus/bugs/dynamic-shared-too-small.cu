// finds: out-of-bounds
// arguments: x: const float[128] = ramp, y: float[128]
// launch: <<<1, 128, 512>>>
// repaired launch: <<<1, 128, 1024>>>
// The kernel keeps two arrays of blockDim.x floats in dynamic shared memory; the launch asks for one.
extern __shared__ float buffer[];

__device__ void squares_and_values(const float* x, float* y) {
  float* values = buffer;
  float* squares = buffer + blockDim.x;
  const int t = threadIdx.x;
  values[t] = x[t];
  squares[t] = x[t] * x[t];
  __syncthreads();
  const int next = (t + 1) % blockDim.x;
  y[t] = squares[next] - values[next];
}

__global__ void broken(const float* x, float* y) { squares_and_values(x, y); }

__global__ void repaired(const float* x, float* y) { squares_and_values(x, y); }
