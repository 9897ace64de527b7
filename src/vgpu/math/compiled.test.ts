/** A second oracle for fma: the C library's fmaf and fma in all four rounding directions, through g++. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fma32Directed } from './float32.ts';
import { fma64 } from './float64.ts';
import type { Rounding } from './rounding.ts';
import { EDGES_32, EDGES_64, randomBits, same } from './testing/rational.ts';

const SOURCE = `
#include <cfenv>
#include <cmath>
#include <cstdio>
template <class T> void run(T (*f)(T, T, T)) {
  const int modes[] = {FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD};
  T in[3];
  while (fread(in, sizeof(T), 3, stdin) == 3)
    for (int mode : modes) {
      fesetround(mode);
      volatile T r = f(in[0], in[1], in[2]);
      fesetround(FE_TONEAREST);
      T out = r;
      fwrite(&out, sizeof(T), 1, stdout);
    }
}
int main(int argc, char**) {
  if (argc > 1) run<double>(fma); else run<float>(fmaf);
}
`;

const MODES: readonly Rounding[] = ['rn', 'rz', 'rm', 'rp'];
const missing = spawnSync('g++', ['--version']).error !== undefined;

describe('fma against the C library', { skip: missing ? 'g++ is not installed' : false }, () => {
  it('agrees on edges and random triples of f32 and f64', () => {
    const folder = mkdtempSync(join(tmpdir(), 'fma-oracle-'));
    try {
      writeFileSync(join(folder, 'oracle.cpp'), SOURCE);
      execFileSync('g++', ['-O1', '-frounding-math', '-o', join(folder, 'oracle'), join(folder, 'oracle.cpp')]);
      const random = randomBits(2024);
      const bits32 = new Int32Array(1);
      const value32 = new Float32Array(bits32.buffer);
      const pick32 = (): number => {
        if (random() % 8 === 0) return EDGES_32[random() % EDGES_32.length]!;
        // Exponents near each other in three of four triples' members.
        bits32[0] = random() % 4 === 0 ? random() : (random() & 0x807fffff) | ((110 + (random() % 30)) << 23);
        return value32[0]!;
      };
      const triples32 = Float32Array.from({ length: 3 * 100_000 }, pick32);
      const out32 = new Float32Array(
        new Uint8Array(
          execFileSync(join(folder, 'oracle'), { input: new Uint8Array(triples32.buffer), maxBuffer: 2 ** 26 }),
        ).buffer,
      );
      for (let i = 0; i < 100_000; i++) {
        const [a, b, c] = [triples32[3 * i]!, triples32[3 * i + 1]!, triples32[3 * i + 2]!];
        MODES.forEach((mode, m) => {
          assert.ok(same(fma32Directed(a, b, c, mode), out32[4 * i + m]!), `fmaf(${a}, ${b}, ${c}) .${mode}`);
        });
      }
      const words = new Uint32Array(2);
      const value64 = new Float64Array(words.buffer);
      const pick64 = (): number => {
        if (random() % 8 === 0) return EDGES_64[random() % EDGES_64.length]!;
        words[0] = random();
        words[1] = random() % 4 === 0 ? random() : (random() & 0x800fffff) | ((980 + (random() % 86)) << 20);
        return value64[0]!;
      };
      const triples64 = Float64Array.from({ length: 3 * 20_000 }, pick64);
      const out64 = new Float64Array(
        new Uint8Array(
          execFileSync(join(folder, 'oracle'), ['64'], { input: new Uint8Array(triples64.buffer), maxBuffer: 2 ** 26 }),
        ).buffer,
      );
      for (let i = 0; i < 20_000; i++) {
        const [a, b, c] = [triples64[3 * i]!, triples64[3 * i + 1]!, triples64[3 * i + 2]!];
        MODES.forEach((mode, m) => {
          assert.ok(same(fma64(a, b, c, mode), out64[4 * i + m]!), `fma(${a}, ${b}, ${c}) .${mode}`);
        });
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
