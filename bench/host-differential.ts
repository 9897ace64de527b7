/**
 * Random host functions interpreted and run under g++, plans compared; then damaged ones, which must end in a plan or a sentence.
 * Prints how many ran, how long it took and what disagreed; exit code 1 if anything did.
 *
 *     node --import tsx bench/host-differential.ts [programs = 10000] [first seed = 1] [--damaged n] [--batch n]
 */
import { parseArgs } from 'node:util';
import { compareHostPrograms, RecordingCompiler } from '../src/kernel/interpret/fuzz/compare.ts';
import { damagedOutcome } from '../src/kernel/interpret/fuzz/damage.ts';
import { choicesOf } from '../src/kernel/interpret/fuzz/random.ts';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { damaged: { type: 'string' }, batch: { type: 'string', default: '200' } },
});
const programs = Number(positionals[0] ?? 10_000);
const first = Number(positionals[1] ?? 1);
const damaged = Number(values.damaged ?? 2 * programs);
const batch = Number(values.batch);
if (![programs, first, damaged].every((n) => Number.isInteger(n) && n >= 0) || !(batch >= 1))
  throw new Error('The numbers of programs, seed, damaged programs and programs in a batch are whole numbers.');

let stopped = false;
process.once('SIGINT', () => {
  stopped = true;
});
const started = performance.now();
const seconds = (since = started): string => ((performance.now() - since) / 1000).toFixed(0);
const failures: string[] = [];

function report(failure: string): void {
  failures.push(failure);
  if (failures.length <= 20) console.log(failure);
}

async function compareAll(): Promise<void> {
  const compiler = new RecordingCompiler();
  let [done, defined, launches, refused] = [0, 0, 0, 0];
  try {
    while (done < programs && !stopped) {
      const result = compareHostPrograms(compiler, first + done, Math.min(batch, programs - done));
      done += result.programs;
      defined += result.defined;
      refused += result.refused;
      launches += result.launches;
      result.differences.forEach(report);
      console.log(`${done} programs, ${failures.length} differ, ${seconds()} s`);
      await new Promise(setImmediate);
    }
  } finally {
    compiler.remove();
  }
  console.log(
    `${done} programs from seed ${first} in ${seconds()} s: ${defined} end, ${done - defined - refused} fail or trap on both sides, ${refused} are not compiled by g++, ${launches} launches; ${failures.length} differ from g++.`,
  );
}

async function damageAll(): Promise<void> {
  const since = performance.now();
  const before = failures.length;
  let [done, plans] = [0, 0];
  for (; done < damaged && !stopped; done++) {
    try {
      if (damagedOutcome(choicesOf(first + done)) === 'plan') plans++;
    } catch (error) {
      report(`seed ${first + done}: ${error instanceof Error ? error.message : String(error)}`);
    }
    if (done % 64 === 0) await new Promise(setImmediate);
  }
  console.log(
    `${done} damaged programs in ${seconds(since)} s: ${plans} still give a plan, ${done - plans} a sentence; ${failures.length - before} crash or hang.`,
  );
}

if (programs > 0) await compareAll();
if (damaged > 0) await damageAll();
process.exitCode = failures.length > 0 ? 1 : 0;
