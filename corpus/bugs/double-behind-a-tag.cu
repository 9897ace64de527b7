// finds: misaligned
// arguments: records: const unsigned char[32*12] = zero, y: double[32]
// launch: <<<1, 32>>>
// Records of a 4-byte tag and a double, packed without padding: every other double is misaligned.
__global__ void broken(const unsigned char* records, double* y) {
  y[threadIdx.x] = *reinterpret_cast<const double*>(records + threadIdx.x * 12 + 4);
}

__global__ void repaired(const unsigned char* records, double* y) {
  const int* words = reinterpret_cast<const int*>(records + threadIdx.x * 12 + 4);
  y[threadIdx.x] = __hiloint2double(words[1], words[0]);
}
