// finds: race
// arguments: x: const float[4*64] = ramp, squares: float[4*64], tickets: unsigned[1] = zero, y: float[64]
// launch: <<<4, 64>>>
// Every thread fences, but only after thread 0 may have taken the ticket; in the right order a fence by each thread, a
// barrier and one thread's atomic publish what the whole block wrote.
__global__ void broken(const float* x, float* squares, unsigned* tickets, float* y) {
  __shared__ bool last;
  const int t = threadIdx.x, i = blockIdx.x * 64 + t;
  squares[i] = x[i] * x[i];
  if (t == 0) last = atomicAdd(tickets, 1u) == gridDim.x - 1;
  __syncthreads();
  __threadfence();
  if (last) y[t] = squares[t] + squares[64 + t] + squares[128 + t] + squares[192 + t];
}

__global__ void repaired(const float* x, float* squares, unsigned* tickets, float* y) {
  __shared__ bool last;
  const int t = threadIdx.x, i = blockIdx.x * 64 + t;
  squares[i] = x[i] * x[i];
  __threadfence();
  __syncthreads();
  if (t == 0) last = atomicAdd(tickets, 1u) == gridDim.x - 1;
  __syncthreads();
  if (last) y[t] = squares[t] + squares[64 + t] + squares[128 + t] + squares[192 + t];
}
