/** Textures and surfaces against plain arithmetic: geometries, filtering, address modes, and misuse. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { VirtualGpu } from './gpu.ts';
import { arg, bytesOf, compileCuda, f32Of, skipWithoutNvcc } from './nvcc-testing.ts';
import type { TextureDescription } from './textures.ts';
import type { LaunchReport } from './types.ts';

const SOURCE = `
extern "C" {
__global__ void fetch1D(cudaTextureObject_t t, float* y) { y[threadIdx.x] = tex1Dfetch<float>(t, threadIdx.x); }
__global__ void sample2D(cudaTextureObject_t t, float* y, float x0, float y0, float step) {
  y[threadIdx.x] = tex2D<float>(t, x0 + step * threadIdx.x, y0);
}
__global__ void bytes2D(cudaTextureObject_t t, float* y) {
  float4 v = tex2D<float4>(t, threadIdx.x & 3, threadIdx.x >> 2);
  y[4 * threadIdx.x] = v.x; y[4 * threadIdx.x + 1] = v.y; y[4 * threadIdx.x + 2] = v.z; y[4 * threadIdx.x + 3] = v.w;
}
__global__ void layers(cudaTextureObject_t t, float* y) { y[threadIdx.x] = tex2DLayered<float>(t, threadIdx.x & 3, (threadIdx.x >> 2) & 3, threadIdx.x >> 4); }
__global__ void slices(cudaTextureObject_t t, float* y) { y[threadIdx.x] = tex3D<float>(t, (threadIdx.x & 3) + .5f, ((threadIdx.x >> 2) & 3) + .5f, (threadIdx.x >> 4) + .5f); }
__global__ void cube(cudaTextureObject_t t, float* y) {
  const float d[6][3] = {{1,0,0},{-1,0,0},{0,1,0},{0,-1,0},{0,0,1},{0,0,-1}};
  if (threadIdx.x < 6) y[threadIdx.x] = texCubemap<float>(t, d[threadIdx.x][0], d[threadIdx.x][1], d[threadIdx.x][2]);
}
__global__ void gather(cudaTextureObject_t t, float* y) { float4 v = tex2Dgather<float4>(t, 2.f, 1.f, 0); y[0] = v.x; y[1] = v.y; y[2] = v.z; y[3] = v.w; }
__global__ void surface(cudaSurfaceObject_t s, float* y) {
  int i = threadIdx.x; float v; surf2Dread(&v, s, (i & 3) * 4, i >> 2); __syncthreads(); surf2Dwrite(v * 2, s, (3 - (i & 3)) * 4, i >> 2); y[i] = v;
}
__global__ void surfaceOut(cudaSurfaceObject_t s, float* y) { surf2Dwrite(1.f, s, 4 * threadIdx.x, 0); y[0] = 0; }
__global__ void surfaceZero(cudaSurfaceObject_t s, float* y) { float v; surf2Dread(&v, s, 4 * threadIdx.x, 0, cudaBoundaryModeZero); y[threadIdx.x] = v; }
}
`;

const ptx = skipWithoutNvcc() === false ? compileCuda(SOURCE) : '';
const FLOAT = { channels: 1, bits: 32, kind: 'float' } as const;

type Made = Omit<TextureDescription, 'pointer'> & { surface?: boolean; handle?: bigint };

function run(
  kernel: string,
  texels: Float32Array | Uint8Array,
  made: Made,
  more: readonly Uint8Array[] = [],
  threads = 16,
): { report: LaunchReport; y: Float32Array; texels: Float32Array } {
  const gpu = new VirtualGpu({ memoryBytes: 1 << 24 });
  const module = gpu.load(ptx);
  const image = gpu.allocate(texels.byteLength, { name: 'image' });
  gpu.write(image, texels instanceof Uint8Array ? texels : bytesOf(texels));
  const y = gpu.allocate(1024, { name: 'y' });
  gpu.write(y, new Uint8Array(1024));
  const description = { pointer: image, ...made };
  const handle = made.handle ?? (made.surface ? gpu.createSurface(description) : gpu.createTexture(description));
  const report = gpu.launch(module, kernel, {
    grid: [1, 1, 1],
    block: [threads, 1, 1],
    arguments: [arg.pointer(handle), arg.pointer(y), ...more],
    races: true,
  });
  return { report, y: f32Of(gpu.read(y, 1024)), texels: f32Of(gpu.read(image, texels.byteLength)) };
}

const ramp = (n: number): Float32Array => Float32Array.from({ length: n }, (_, i) => i + 1);

describe('textures', { skip: skipWithoutNvcc() }, () => {
  it('fetch, and clamp outside', () => {
    const { report, y } = run('fetch1D', ramp(12), { width: 12, format: FLOAT });
    assert.deepEqual(report.findings, []);
    assert.deepEqual([...y.slice(0, 16)], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 12, 12, 12, 12]);
  });

  it('interpolate with weights of 8 bits', () => {
    const steps = [arg.f32(0.25), arg.f32(1), arg.f32(0.25)];
    const { y } = run('sample2D', ramp(16), { width: 4, height: 4, format: FLOAT, filterMode: 'linear' }, steps);
    for (let i = 0; i < 16; i++) {
      const x = Math.min(Math.max(0.25 + 0.25 * i - 0.5, 0), 3);
      // Between the first row (1 to 4) and the second (5 to 8).
      assert.ok(Math.abs(y[i]! - (x + 1 + 2)) < 1e-6, `y[${i}] = ${y[i]}`);
    }
  });

  for (const [mode, expected] of [
    ['wrap', [3, 4, 1, 2, 3, 4, 1, 2]],
    ['mirror', [2, 1, 1, 2, 3, 4, 4, 3]],
    ['clamp', [1, 1, 1, 2, 3, 4, 4, 4]],
    ['border', [0, 0, 1, 2, 3, 4, 0, 0]],
  ] as const) {
    it(`address outside by ${mode}`, () => {
      const steps = [arg.f32(-0.375), arg.f32(0.125), arg.f32(0.25)];
      const made = { width: 4, height: 4, format: FLOAT, normalizedCoordinates: true, addressMode: [mode] };
      assert.deepEqual([...run('sample2D', ramp(16), made, steps, 8).y.slice(0, 8)], expected);
    });
  }

  it('read bytes as normalised floats', () => {
    const texels = Uint8Array.from({ length: 64 }, (_, i) => i * 4);
    const format = { channels: 4, bits: 8, kind: 'unsigned' } as const;
    const { y } = run('bytes2D', texels, { width: 4, height: 4, format, normalizedFloat: true });
    for (let i = 0; i < 64; i++) assert.equal(y[i], Math.fround((i * 4) / 255));
  });

  it('have layers, slices and faces', () => {
    for (const kernel of ['layers', 'slices']) {
      const { y } = run(kernel, ramp(64), { width: 4, height: 4, depth: 4, format: FLOAT }, [], 64);
      assert.deepEqual([...y.slice(0, 64)], [...ramp(64)], kernel);
    }
    const faces = Float32Array.from({ length: 24 }, (_, i) => Math.floor(i / 4));
    assert.deepEqual(
      [...run('cube', faces, { width: 2, height: 2, depth: 6, format: FLOAT }).y.slice(0, 6)],
      [0, 1, 2, 3, 4, 5],
    );
  });

  it('gather four texels', () => {
    const { y } = run('gather', ramp(16), { width: 4, height: 4, format: FLOAT });
    assert.deepEqual([...y.slice(0, 4)], [6, 7, 3, 2]);
  });

  it('are refused when no texture is bound', () => {
    const { report } = run('fetch1D', ramp(12), { width: 12, format: FLOAT, handle: 5n });
    assert.equal(report.completed, false);
    assert.match(report.findings[0]!.message, /no texture object/);
  });

  it('are refused when the description does not fit', () => {
    assert.throws(() => run('fetch1D', ramp(12), { width: 13, format: FLOAT }), RangeError);
    const integers = { channels: 1, bits: 32, kind: 'signed' } as const;
    assert.throws(() => run('fetch1D', ramp(12), { width: 12, format: integers, filterMode: 'linear' }), /linear/);
    assert.match(
      run('fetch1D', ramp(12), { width: 12, format: integers }).report.findings[0]!.message,
      /gives integers/,
    );
  });
});

describe('surfaces', { skip: skipWithoutNvcc() }, () => {
  const made = { width: 4, height: 4, format: FLOAT, surface: true };

  it('read and write', () => {
    const { report, texels } = run('surface', ramp(16), made);
    assert.deepEqual(report.findings, []);
    assert.deepEqual([...texels.slice(0, 4)], [8, 6, 4, 2]);
  });

  it('trap outside, or read zero there', () => {
    assert.equal(run('surfaceOut', ramp(16), made).report.findings[0]!.kind, 'out-of-bounds');
    assert.deepEqual([...run('surfaceZero', ramp(16), made).y.slice(0, 6)], [1, 2, 3, 4, 0, 0]);
  });
});
