// finds: out-of-bounds
// arguments: x: const float[24*70] = ramp, y: float[24*70], rows: int = 24, columns: int = 70
// launch: <<<(3, 3), (32, 32)>>>
// x counts columns, but is compared with the number of rows and the other way round: right for square matrices only.
__global__ void broken(const float* x, float* y, int rows, int columns) {
  const int c = blockIdx.x * blockDim.x + threadIdx.x;
  const int r = blockIdx.y * blockDim.y + threadIdx.y;
  if (c < rows && r < columns) y[r * columns + c] = -x[r * columns + c];
}

__global__ void repaired(const float* x, float* y, int rows, int columns) {
  const int c = blockIdx.x * blockDim.x + threadIdx.x;
  const int r = blockIdx.y * blockDim.y + threadIdx.y;
  if (r < rows && c < columns) y[r * columns + c] = -x[r * columns + c];
}
