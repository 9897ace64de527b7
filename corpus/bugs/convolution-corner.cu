// finds: out-of-bounds
// arguments: x: const float[16*16] = ramp, w: const float[9] = 0.5, y: float[16*16]
// launch: <<<1, (16, 16)>>>
// Only the columns of a 3x3 window are clipped; its rows run off the top and the bottom of the image.
__global__ void broken(const float* x, const float* w, float* y) {
  const int c = threadIdx.x, r = threadIdx.y;
  float sum = 0.0f;
  for (int dr = -1; dr <= 1; dr++)
    for (int dc = -1; dc <= 1; dc++) {
      if (c + dc < 0 || c + dc >= 16) continue;
      sum += w[(dr + 1) * 3 + dc + 1] * x[(r + dr) * 16 + c + dc];
    }
  y[r * 16 + c] = sum;
}

__global__ void repaired(const float* x, const float* w, float* y) {
  const int c = threadIdx.x, r = threadIdx.y;
  float sum = 0.0f;
  for (int dr = -1; dr <= 1; dr++)
    for (int dc = -1; dc <= 1; dc++) {
      if (c + dc < 0 || c + dc >= 16 || r + dr < 0 || r + dr >= 16) continue;
      sum += w[(dr + 1) * 3 + dc + 1] * x[(r + dr) * 16 + c + dc];
    }
  y[r * 16 + c] = sum;
}
