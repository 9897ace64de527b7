// finds: out-of-bounds
// arguments: table: const float[10*32] = ramp, tokens: const int[4] = {3, 9, -1, 0}, y: float[4*32]
// launch: <<<4, 32>>>
// Token -1 means padding; used as a row number it reads in front of the table.
__global__ void broken(const float* table, const int* tokens, float* y) {
  y[blockIdx.x * 32 + threadIdx.x] = table[tokens[blockIdx.x] * 32 + threadIdx.x];
}

__global__ void repaired(const float* table, const int* tokens, float* y) {
  const int token = tokens[blockIdx.x];
  y[blockIdx.x * 32 + threadIdx.x] = token >= 0 ? table[token * 32 + threadIdx.x] : 0.0f;
}
