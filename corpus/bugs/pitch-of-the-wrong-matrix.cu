// finds: out-of-bounds
// arguments: x: const float[20*48] = ramp, y: float[20*40], rows: int = 20, columns: int = 40, pitch: int = 48
// launch: <<<(2, 3), (32, 8)>>>
// The input has padded rows, the output has not; both are addressed with the padded pitch.
__global__ void broken(const float* x, float* y, int rows, int columns, int pitch) {
  const int c = blockIdx.x * blockDim.x + threadIdx.x;
  const int r = blockIdx.y * blockDim.y + threadIdx.y;
  if (r < rows && c < columns) y[r * pitch + c] = fmaxf(x[r * pitch + c], 0.0f);
}

__global__ void repaired(const float* x, float* y, int rows, int columns, int pitch) {
  const int c = blockIdx.x * blockDim.x + threadIdx.x;
  const int r = blockIdx.y * blockDim.y + threadIdx.y;
  if (r < rows && c < columns) y[r * columns + c] = fmaxf(x[r * pitch + c], 0.0f);
}
