// finds: race
// arguments: a: const float[32*32] = ramp, b: const float[32*32] = ramp, c: float[32*32], n: int = 32
// launch: <<<(2, 2), (16, 16)>>>
// Fast threads load the next tiles while slow ones still read these: the barrier at the loop's end is missing.
constexpr int T = 16;

__global__ void broken(const float* a, const float* b, float* c, int n) {
  __shared__ float as[T][T], bs[T][T];
  const int tx = threadIdx.x, ty = threadIdx.y;
  const int row = blockIdx.y * T + ty, column = blockIdx.x * T + tx;
  float sum = 0.0f;
  for (int k = 0; k < n; k += T) {
    as[ty][tx] = a[row * n + k + tx];
    bs[ty][tx] = b[(k + ty) * n + column];
    __syncthreads();
    for (int i = 0; i < T; i++) sum += as[ty][i] * bs[i][tx];
  }
  c[row * n + column] = sum;
}

__global__ void repaired(const float* a, const float* b, float* c, int n) {
  __shared__ float as[T][T], bs[T][T];
  const int tx = threadIdx.x, ty = threadIdx.y;
  const int row = blockIdx.y * T + ty, column = blockIdx.x * T + tx;
  float sum = 0.0f;
  for (int k = 0; k < n; k += T) {
    as[ty][tx] = a[row * n + k + tx];
    bs[ty][tx] = b[(k + ty) * n + column];
    __syncthreads();
    for (int i = 0; i < T; i++) sum += as[ty][i] * bs[i][tx];
    __syncthreads();
  }
  c[row * n + column] = sum;
}
