// finds: race
// arguments: x: const float[4*64] = ramp, squares: float[4*64], tickets: unsigned[1] = zero, y: float[64]
// launch: <<<4, 64>>>
// Thread 0 takes the ticket before the other warp of its block has written: fence and ticket cover its own writes only.
__global__ void broken(const float* x, float* squares, unsigned* tickets, float* y) {
  __shared__ bool last;
  const int t = threadIdx.x, i = blockIdx.x * 64 + t;
  squares[i] = x[i] * x[i];
  if (t == 0) {
    __threadfence();
    last = atomicAdd(tickets, 1u) == gridDim.x - 1;
    __threadfence();
  }
  __syncthreads();
  if (!last) return;
  y[t] = squares[t] + squares[64 + t] + squares[128 + t] + squares[192 + t];
}

__global__ void repaired(const float* x, float* squares, unsigned* tickets, float* y) {
  __shared__ bool last;
  const int t = threadIdx.x, i = blockIdx.x * 64 + t;
  squares[i] = x[i] * x[i];
  __syncthreads();
  if (t == 0) {
    __threadfence();
    last = atomicAdd(tickets, 1u) == gridDim.x - 1;
    __threadfence();
  }
  __syncthreads();
  if (!last) return;
  y[t] = squares[t] + squares[64 + t] + squares[128 + t] + squares[192 + t];
}
