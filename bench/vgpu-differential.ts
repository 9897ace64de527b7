/**
 * Random PTX programs on every executor, compared with the interpreter. Prints how many ran, how long it took and what
 * disagreed; exit code 1 if anything did.
 *
 *     node --import tsx bench/vgpu-differential.ts [programs = 20000] [first seed = 1]
 */
import { compareExecutors } from '../src/vgpu/compiler/differential.ts';
import { randomProgram } from '../src/vgpu/compiler/random-ptx.ts';

const programs = Number(process.argv[2] ?? 20_000);
const first = Number(process.argv[3] ?? 1);

/** Choices of a program by seed: xorshift, 32 bits. */
function choicesOf(seed: number): number[] {
  let state = Math.imul(seed, 0x9e3779b1) | 1;
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  return Array.from({ length: 20 + (next() % 500) }, next);
}

const started = performance.now();
const failures: string[] = [];
for (let index = 0; index < programs; index++) {
  const seed = first + index;
  try {
    compareExecutors(randomProgram(choicesOf(seed)), ['scalar']);
  } catch (error) {
    failures.push(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`);
  }
  if ((index + 1) % 500 === 0)
    console.log(
      `${index + 1} programs, ${failures.length} disagree, ${((performance.now() - started) / 1000).toFixed(0)} s`,
    );
}
for (const failure of failures.slice(0, 20)) console.log(failure);
console.log(
  `${programs} programs in ${((performance.now() - started) / 1000).toFixed(0)} s: ${failures.length} disagree with the interpreter.`,
);
process.exitCode = failures.length > 0 ? 1 : 0;
