/** mma.sync on elements of 8 bits of floating point, 4 bits and 1 bit, against plain products. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { VirtualGpu } from './gpu.ts';
import { fromFloat8 } from './math/index.ts';
import { arg, bytesOf, f32Of } from './nvcc-testing.ts';

interface Case {
  readonly shape: readonly [m: number, n: number, k: number];
  readonly a: string;
  readonly b: string;
  readonly d: 'f32' | 's32';
  readonly bits: 1 | 4 | 8;
  readonly suffix?: string;
}

/** The value of a raw element. */
function decoded(type: string, raw: number): number {
  if (type === 'e4m3' || type === 'e5m2') return fromFloat8(type)(raw);
  return type === 's4' ? (raw << 28) >> 28 : raw;
}

function check({ shape, a, b, d, bits, suffix = '' }: Case): void {
  const [m, n, k] = shape;
  const per = 32 / bits;
  const [aWords, bWords] = [(m * k) / 32 / per, (n * k) / 32 / per];
  const cWords = (m * n) / 32;
  const list = (name: string, count: number): string =>
    `{${Array.from({ length: count }, (_, r) => `%${name}${r}`).join(', ')}}`;
  const loads = (name: string, pointer: string, count: number): string =>
    Array.from({ length: count }, (_, r) => `ld.global.b32 %${name}${r}, [%${pointer} + ${128 * r}];`).join('\n');
  const text = `.version 8.4
.target sm_90a
.address_size 64
.visible .entry multiply(.param .u64 a, .param .u64 b, .param .u64 d) .reqntid 32, 1, 1
{
  .reg .b32 %a<4>; .reg .b32 %b<4>; .reg .b32 %d<4>; .reg .b32 %t; .reg .b64 %pa, %pb, %pd, %w;
  ld.param.u64 %pa, [a]; ld.param.u64 %pb, [b]; ld.param.u64 %pd, [d];
  mov.u32 %t, %tid.x; mul.wide.u32 %w, %t, 4; add.s64 %pa, %pa, %w; add.s64 %pb, %pb, %w; add.s64 %pd, %pd, %w;
  ${loads('a', 'pa', aWords)}
  ${loads('b', 'pb', bWords)}
  ${loads('d', 'pd', cWords)}
  mma.sync.aligned.m${m}n${n}k${k}.row.col.${d}.${a}.${b}.${d}${suffix} ${list('d', cWords)}, ${list('a', aWords)}, ${list('b', bWords)}, ${list('d', cWords)};
  ${Array.from({ length: cWords }, (_, r) => `st.global.b32 [%pd + ${128 * r}], %d${r};`).join('\n')}
  ret;
}`;
  const limit = 2 ** bits;
  // Without the patterns of NaN and infinity.
  const raw = (seed: number): number => {
    const x = ((seed * 2654435761) >>> 11) % limit;
    return bits === 8 && (x & 0x7f) >= 0x50 ? x & 0xbf : x;
  };
  const at = (rows: number): number[] => Array.from({ length: rows * k }, (_, i) => raw(i + 1000 * rows));
  const [ma, mb] = [at(m), at(n)];
  // Registers by the figures: rows by lane / 4, a register's elements side by side along k.
  const pack = (matrix: number[], rows: number, words: number): Uint32Array =>
    Uint32Array.from({ length: 32 * words }, (_, index) => {
      const [r, lane] = [index >> 5, index & 31];
      const twoHalves = rows === 16;
      const row = (lane >> 2) + (twoHalves ? 8 * (r & 1) : 0);
      const start = per * (lane & 3) + 4 * per * (twoHalves ? r >> 1 : r);
      let word = 0;
      for (let e = 0; e < per; e++) word |= matrix[row * k + start + e]! << (bits * e);
      return word;
    });
  const gpu = new VirtualGpu({ memoryBytes: 1 << 24 });
  const upload = (words: Uint32Array, name: string): bigint => {
    const pointer = gpu.allocate(words.length * 4, { name });
    gpu.write(pointer, bytesOf(words));
    return pointer;
  };
  const start = Float32Array.from({ length: 32 * cWords }, (_, i) => (i % 7) - 3);
  const initial = d === 'f32' ? new Uint32Array(start.buffer) : Uint32Array.from(start, (x) => x | 0);
  const pd = upload(initial, 'd');
  const report = gpu.launch(gpu.load(text), 'multiply', {
    grid: [1, 1, 1],
    block: [32, 1, 1],
    arguments: [
      arg.pointer(upload(pack(ma, m, aWords), 'a')),
      arg.pointer(upload(pack(mb, n, bWords), 'b')),
      arg.pointer(pd),
    ],
  });
  assert.deepEqual(report.findings, []);
  const bytes = gpu.read(pd, 128 * cWords);
  const got = d === 'f32' ? f32Of(bytes) : new Int32Array(bytes.slice().buffer);
  for (let lane = 0; lane < 32; lane++) {
    for (let r = 0; r < cWords; r++) {
      const [row, column] = [(lane >> 2) + 8 * (r >> 1), 2 * (lane & 3) + (r & 1)];
      let sum = start[32 * r + lane]!;
      for (let x = 0; x < k; x++) {
        const [p, q] = [decoded(a, ma[row * k + x]!), decoded(b, mb[column * k + x]!)];
        sum += suffix.startsWith('.xor') ? p ^ q : p * q;
      }
      assert.equal(got[32 * r + lane]! + 0, Math.fround(sum) + 0, `row ${row}, column ${column}`);
    }
  }
}

describe('mma.sync on narrow elements', () => {
  it('e4m3 and e5m2', () => {
    check({ shape: [16, 8, 32], a: 'e4m3', b: 'e4m3', d: 'f32', bits: 8 });
    check({ shape: [16, 8, 32], a: 'e4m3', b: 'e5m2', d: 'f32', bits: 8 });
  });
  it('four bits', () => {
    check({ shape: [8, 8, 32], a: 's4', b: 's4', d: 's32', bits: 4 });
    check({ shape: [16, 8, 32], a: 'u4', b: 's4', d: 's32', bits: 4 });
    check({ shape: [16, 8, 64], a: 's4', b: 'u4', d: 's32', bits: 4 });
  });
  it('one bit', () => {
    check({ shape: [8, 8, 128], a: 'b1', b: 'b1', d: 's32', bits: 1, suffix: '.xor.popc' });
    check({ shape: [16, 8, 128], a: 'b1', b: 'b1', d: 's32', bits: 1, suffix: '.and.popc' });
    check({ shape: [16, 8, 256], a: 'b1', b: 'b1', d: 's32', bits: 1, suffix: '.xor.popc' });
  });
});
