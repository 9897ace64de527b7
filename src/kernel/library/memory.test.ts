/** Copies and fills of the CUDA runtime as steps of a plan, and the candidate's own device variables. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertRefused, tryHost } from '../interpret/try-host.fixture.ts';

const program = (body: string, before = ''): string =>
  `struct P { float a; double b; const float* p; };
__constant__ float c_w[4];
__constant__ P c_p;
namespace n { __device__ int counter; }
__device__ constexpr int THREADS = 64;
${before}
torch::Tensor forward(torch::Tensor x) {
  ${body}
  return x; }`;

const steps = (body: string, before = ''): unknown[] =>
  tryHost(program(body, before), 'x[4]').steps.map(({ line: _, ...step }) => step);

test('cudaMemcpyToSymbol writes what the host knows', () => {
  assert.deepEqual(steps('float w[4] = {1, 2, 3, 4}; cudaMemcpyToSymbol(c_w, w, sizeof(w));'), [
    { kind: 'write', buffer: 1, byteOffset: 0, bytes: '0000803f000000400000404000008040' },
  ]);
  assert.deepEqual(
    steps(
      'std::vector<float> w = {5, 6}; float s = 1; cudaMemcpyToSymbolAsync(c_w, w.data() + 1, 4, 8); cudaMemcpyToSymbol(&c_w, &s, sizeof(float), 0, cudaMemcpyHostToDevice, 0);',
    ),
    [
      { kind: 'write', buffer: 1, byteOffset: 8, bytes: '0000c040' },
      { kind: 'write', buffer: 1, byteOffset: 0, bytes: '0000803f' },
    ],
  );
  const [write] = steps('P p{1.f, 2., x.data_ptr<float>() + 2}; cudaMemcpyToSymbol(c_p, &p, sizeof(P));');
  assert.deepEqual(write, {
    ...{ kind: 'write', buffer: 1, byteOffset: 0, pointers: [{ at: 16, buffer: 0, byteOffset: 8 }] },
    bytes: `0000803f00000000${'0000000000000040'}${'00'.repeat(8)}`,
  });
});

test('device variables as device memory: copies from tensors, addresses, sizes', () => {
  const bytes = (buffer: number, offset: number, n: number): object => ({
    ...{ buffer, dtype: 'uint8', shape: [n], strides: [1], offset },
  });
  assert.deepEqual(steps('cudaMemcpyToSymbol(c_w, x.data_ptr<float>() + 1, 12, 4, cudaMemcpyDeviceToDevice);'), [
    { kind: 'copy', from: bytes(0, 4, 12), to: bytes(1, 4, 12) },
  ]);
  assert.deepEqual(
    steps(
      'int* p; size_t n; cudaGetSymbolAddress((void**)&p, n::counter); cudaGetSymbolSize(&n, n::counter); cudaMemsetAsync(p, 0, n);',
    ),
    [{ kind: 'fill', tensor: bytes(1, 0, 4), bytes: '00' }],
  );
  assert.deepEqual(steps('cudaMemcpyFromSymbol(x.data_ptr<float>(), c_w, 8, 0, cudaMemcpyDeviceToDevice);'), [
    { kind: 'copy', from: bytes(1, 0, 8), to: bytes(0, 0, 8) },
  ]);
  const { buffers } = tryHost(program('int one = 1; cudaMemcpyToSymbol(n::counter, &one, 4);'), 'x[4]');
  assert.deepEqual(buffers[1], { id: 1, bytes: 4, kind: 'symbol', symbol: 'n::counter', name: 'n::counter' });
});

test('cudaMemcpy of host values and of device memory', () => {
  assert.deepEqual(
    steps('int n[2] = {7, -1}; int* d; cudaMalloc(&d, 8); cudaMemcpyAsync(d, n, 8, cudaMemcpyHostToDevice, 0);'),
    [{ kind: 'write', buffer: 1, byteOffset: 0, bytes: '07000000ffffffff' }],
  );
});

test('what cannot be copied is said, with the line', () => {
  const refused = (body: string, kind: 'invalid' | 'fails' | 'refused' | 'unsupported', message: RegExp): void =>
    assertRefused(program(body), 'x[4]', kind, message, 8);
  refused(
    'cudaMemcpyToSymbol(c_w, x.data_ptr<float>(), 16);',
    'fails',
    /from device memory needs cudaMemcpyDeviceToDevice/,
  );
  refused('float w[4]; cudaMemcpyToSymbol(c_w, w, 16);', 'invalid', /copied before it is given a value/);
  refused('float w[2] = {1, 2}; cudaMemcpyToSymbol(c_w, w, 16);', 'invalid', /16 bytes of .*, which has 8/);
  refused('float w[8] = {}; cudaMemcpyToSymbol(c_w, w, 32);', 'fails', /32 bytes at 0 of c_w, which has 16 bytes/);
  refused('float w = 1; cudaMemcpyToSymbol(w, &w, 4);', 'invalid', /must name a __device__ or __constant__ variable/);
  refused('float w[4]; cudaMemcpyFromSymbol(w, c_w, 16);', 'refused', /reads device memory on the host/);
  refused(
    'float w[4]; cudaMemcpy(w, x.data_ptr<float>(), 16, cudaMemcpyDeviceToHost);',
    'refused',
    /cudaMemcpy to the host/,
  );
  refused('float w = c_w[0];', 'refused', /reads the device variable c_w on the host/);
});
