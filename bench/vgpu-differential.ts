/**
 * Random PTX programs on every executor, compared with the interpreter. Prints how many ran, how long it took and what
 * disagreed; exit code 1 if anything did. The engine's optimising compiler takes one program in twenty: what is tested is
 * this project's translation, and the engine's quick compiler runs it the same.
 *
 *     node --import tsx bench/vgpu-differential.ts [programs = 20000] [first seed = 1] [--processes n]
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { compareExecutors } from '../src/vgpu/compiler/differential.ts';
import { choicesOf, randomProgram } from '../src/vgpu/compiler/random-ptx.ts';
import { optimise } from '../src/vgpu/compiler/wasm/engine.ts';

const OPTIMISED = 20;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { processes: { type: 'string', default: '1' } },
});
const programs = Number(positionals[0] ?? 20_000);
const first = Number(positionals[1] ?? 1);
const processes = Number(values.processes);
if (![programs, first, processes].every((value) => Number.isInteger(value) && value >= 1))
  throw new Error('The numbers of programs, seed and processes are whole numbers from 1.');

const started = performance.now();
const seconds = (): string => ((performance.now() - started) / 1000).toFixed(0);
let stopped = false;
process.once('SIGINT', () => {
  stopped = true;
});

/** Runs the seeds here; lets an interrupt in between programs. */
async function compareHere(): Promise<void> {
  let failures = 0;
  let done = 0;
  const ran = new Map<string, number>();
  for (; done < programs && !stopped; done++) {
    const seed = first + done;
    optimise(seed % OPTIMISED === 0);
    try {
      for (const executor of compareExecutors(randomProgram(choicesOf(seed)), ['scalar', 'simd']))
        ran.set(executor, (ran.get(executor) ?? 0) + 1);
    } catch (error) {
      failures++;
      console.log(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`);
    }
    if ((done + 1) % 500 === 0) console.log(`${done + 1} programs, ${failures} disagree, ${seconds()} s`);
    if (done % 16 === 0) await new Promise(setImmediate);
  }
  const modes = [...ran].map(([executor, count]) => `${executor} ${count}`).join(', ');
  console.log(
    `${done} programs from seed ${first} in ${seconds()} s (${modes}): ${failures} disagree with the interpreter.`,
  );
  process.exitCode = failures > 0 ? 1 : 0;
}

/** Deals the seeds out to processes, which print for themselves; an interrupt reaches them all. */
async function compareInProcesses(): Promise<void> {
  const share = Math.ceil(programs / processes);
  const codes = await Promise.all(
    Array.from({ length: processes }, (_, index) => {
      const count = Math.min(share, programs - index * share);
      if (count < 1) return Promise.resolve(0);
      const child = spawn(
        process.execPath,
        [...process.execArgv, fileURLToPath(import.meta.url), String(count), String(first + index * share)],
        { stdio: 'inherit' },
      );
      return new Promise<number>((resolve) => child.once('exit', (code) => resolve(code ?? 1)));
    }),
  );
  process.exitCode = codes.some((code) => code !== 0) ? 1 : 0;
}

await (processes > 1 ? compareInProcesses() : compareHere());
