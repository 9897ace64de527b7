// finds: use-after-free
// arguments: current: const float[128] = ramp, old: freed float[128], y: float[128]
// launch: <<<1, 128>>>
// The host grew the buffer: it copied the content, freed the old one, and still passes it.
__global__ void broken(const float* current, const float* old, float* y) {
  const int t = threadIdx.x;
  y[t] = t < 64 ? old[t] : current[t];
}

__global__ void repaired(const float* current, const float* old, float* y) {
  const int t = threadIdx.x;
  y[t] = current[t];
}
