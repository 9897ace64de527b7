/**
 * Random PTX programs on every executor, compared with the interpreter. Prints how many ran, how long it took and what
 * disagreed; exit code 1 if anything did.
 *
 *     node --import tsx bench/vgpu-differential.ts [programs = 20000] [first seed = 1]
 */
import { compareExecutors } from '../src/vgpu/compiler/differential.ts';
import { choicesOf, randomProgram } from '../src/vgpu/compiler/random-ptx.ts';

const programs = Number(process.argv[2] ?? 20_000);
const first = Number(process.argv[3] ?? 1);

const started = performance.now();
let failures = 0;
const ran = new Map<string, number>();
for (let index = 0; index < programs; index++) {
  const seed = first + index;
  try {
    for (const executor of compareExecutors(randomProgram(choicesOf(seed)), ['scalar', 'simd']))
      ran.set(executor, (ran.get(executor) ?? 0) + 1);
  } catch (error) {
    failures++;
    console.log(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`);
  }
  if ((index + 1) % 500 === 0)
    console.log(`${index + 1} programs, ${failures} disagree, ${((performance.now() - started) / 1000).toFixed(0)} s`);
}
console.log(
  `${programs} programs in ${((performance.now() - started) / 1000).toFixed(0)} s: ${failures} disagree with the interpreter.`,
);
process.exitCode = failures > 0 ? 1 : 0;
