/** The hash and the strided copy on the virtual GPU, against plain JavaScript. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { findToolchain } from '../../../kernel/index.ts';
import { VirtualGpu } from '../../../vgpu/index.ts';
import { forEachElement } from '../../plan/strided.ts';
import { build } from '../kernels.fixture.ts';
import { hashOf, layoutOf, ownPtx, spell } from './own-kernels.ts';

const u64 = (value: bigint) => new Uint8Array(BigUint64Array.of(value).buffer);
const u32 = (value: number) => new Uint8Array(Uint32Array.of(value).buffer);

const ptxas = (await findToolchain())?.ptxas;

describe('PTX of ours', { skip: ptxas ? false : 'ptxas is not installed' }, () => {
  for (const [name, ptx] of [
    ['own.ptx', ownPtx],
    ['the kernels of the tests', build.ptx],
  ] as const) {
    it(`is PTX to ptxas: ${name}`, () => {
      const folder = mkdtempSync(join(tmpdir(), 'assay-own-ptx-'));
      try {
        const file = join(folder, 'own.ptx');
        writeFileSync(file, ptx);
        for (const arch of ['sm_75', 'sm_90'])
          execFileSync(ptxas!, [`-arch=${arch}`, '-o', join(folder, 'own.cubin'), file]);
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  }
});

describe('own kernels', () => {
  const gpu = new VirtualGpu({ memoryBytes: 2 ** 26 });
  const module = gpu.load(ownPtx, { name: 'own.ptx' });
  const place = (bytes: Uint8Array, skew = 0) => {
    const pointer = gpu.allocate(bytes.length + skew + 1);
    gpu.write(pointer, new Uint8Array(bytes.length + skew + 1));
    gpu.write(pointer + BigInt(skew), bytes);
    return pointer;
  };
  const launch = (entry: string, blocks: number, threads: number, parameters: Uint8Array[]) => {
    const report = gpu.launch(module, entry, { grid: [blocks, 1, 1], block: [threads, 1, 1], arguments: parameters });
    assert.deepEqual(report.findings, []);
    assert.ok(report.completed);
  };
  const hashed = (bytes: Uint8Array, skew: number, key: readonly [number, number], blocks: number, threads: number) => {
    const data = place(bytes, skew);
    const out = place(new Uint8Array(8));
    launch('assay_hash', blocks, threads, [
      u64(data + BigInt(skew)),
      u64(BigInt(bytes.length)),
      u32(key[0]),
      u32(key[1]),
      u64(out),
    ]);
    const sums = new Uint32Array(gpu.read(out, 8).buffer);
    gpu.free(data);
    gpu.free(out);
    return spell(sums);
  };

  it('hash as plain JavaScript does, at any length, alignment and launch shape', () => {
    const word = fc.integer({ min: 0, max: 0xffffffff });
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.integer({ min: 0, max: 3 }),
        fc.tuple(word, word),
        fc.integer({ min: 1, max: 3 }),
        fc.constantFrom(1, 32, 96),
        (bytes, skew, key, blocks, threads) => {
          assert.equal(hashed(bytes, skew, key, blocks, threads), hashOf(bytes, key));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('hash differently when one bit, the order of words, or the key differs', () => {
    const bytes = Uint8Array.from({ length: 64 }, (_, i) => i);
    const key = [1, 2] as const;
    const seen = new Set([hashOf(bytes, key)]);
    for (let bit = 0; bit < 512; bit++) {
      const other = bytes.slice();
      other[bit >> 3]! ^= 1 << (bit & 7);
      seen.add(hashOf(other, key));
    }
    const swapped = bytes.slice();
    swapped.set(bytes.subarray(0, 4), 4);
    swapped.set(bytes.subarray(4, 8), 0);
    seen.add(hashOf(swapped, key));
    seen.add(hashOf(bytes, [1, 3]));
    seen.add(hashOf(bytes.subarray(0, 60), key));
    assert.equal(seen.size, 1 + 512 + 3);
  });

  it('copy between strided views of any element size, and fill from strides of zero', () => {
    const shape = [3, 4, 5];
    for (const size of [1, 2, 4, 8]) {
      const source = Uint8Array.from({ length: 60 * size }, (_, i) => i % 251);
      const [from, to] = [place(source), place(new Uint8Array(60 * size))];
      const permuted = [1, 3, 12].map((stride) => stride * size);
      const dense = [20, 5, 1].map((stride) => stride * size);
      const layout = place(layoutOf(shape, permuted, dense));
      const copy = (origin: bigint) =>
        launch('assay_copy', 2, 32, [u64(origin), u64(to), u64(60n), u32(size), u32(3), u64(layout)]);
      copy(from);
      const expected = new Uint8Array(60 * size);
      forEachElement(
        { buffer: 0, dtype: 'float32', shape, strides: [1, 3, 12], offset: 0 },
        (offset: number, index: number) => {
          expected.set(source.subarray(offset * size, (offset + 1) * size), index * size);
        },
      );
      assert.deepEqual(gpu.read(to, 60 * size), expected, `${size} bytes`);
      gpu.write(layout, layoutOf(shape, [0, 0, 0], dense));
      copy(from + BigInt(size));
      const filled = gpu.read(to, 60 * size);
      assert.ok(filled.every((byte, i) => byte === source[size + (i % size)]));
    }
  });

  it('launch nothing', () => {
    launch('assay_null', 1, 32, []);
  });
});
