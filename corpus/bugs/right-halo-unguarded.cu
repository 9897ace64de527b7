// finds: out-of-bounds
// arguments: x: const float[500] = ramp, y: float[500], n: int = 500
// launch: <<<4, 128>>>
// The left halo is guarded, the right halo of the last block reads past the end.
constexpr int R = 3;

__global__ void broken(const float* x, float* y, int n) {
  __shared__ float tile[128 + 2 * R];
  const int t = threadIdx.x;
  const int i = blockIdx.x * 128 + t;
  tile[R + t] = i < n ? x[i] : 0.0f;
  if (t < R) {
    tile[t] = i >= R ? x[i - R] : 0.0f;
    tile[R + 128 + t] = x[i + 128];
  }
  __syncthreads();
  if (i >= n) return;
  float sum = 0.0f;
  for (int k = 0; k <= 2 * R; k++) sum += tile[t + k];
  y[i] = sum;
}

__global__ void repaired(const float* x, float* y, int n) {
  __shared__ float tile[128 + 2 * R];
  const int t = threadIdx.x;
  const int i = blockIdx.x * 128 + t;
  tile[R + t] = i < n ? x[i] : 0.0f;
  if (t < R) {
    tile[t] = i >= R ? x[i - R] : 0.0f;
    tile[R + 128 + t] = i + 128 < n ? x[i + 128] : 0.0f;
  }
  __syncthreads();
  if (i >= n) return;
  float sum = 0.0f;
  for (int k = 0; k <= 2 * R; k++) sum += tile[t + k];
  y[i] = sum;
}
