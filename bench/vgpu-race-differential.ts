/**
 * Random programs that share memory, under the race filter of compiled code, against the interpreter's verdict. Prints how
 * many race, how many of the others compiled code trusts, and what disagreed; exit code 1 if anything did.
 *
 *     node --import tsx bench/vgpu-race-differential.ts [programs = 5000] [first seed = 1]
 */
import { compareVerdicts } from '../src/vgpu/compiler/races/race-differential.ts';
import { racyProgram } from '../src/vgpu/compiler/races/random-racy-ptx.ts';
import { choicesOf } from '../src/vgpu/compiler/random-ptx.ts';

const programs = Number(process.argv[2] ?? 5000);
const first = Number(process.argv[3] ?? 1);
const started = performance.now();
let [failures, races, trusted, suspected] = [0, 0, 0, 0];
for (let seed = first; seed < first + programs; seed++) {
  try {
    const verdict = compareVerdicts(racyProgram(choicesOf(seed)), seed % 4 === 0);
    if (verdict.races) races++;
    else if (verdict.suspected.length > 0) suspected++;
    else trusted++;
  } catch (error) {
    failures++;
    console.log(`seed ${seed}: ${error instanceof Error ? error.message.slice(0, 300) : String(error)}`);
  }
}
console.log(
  `${programs} programs in ${((performance.now() - started) / 1000).toFixed(0)} s: ${races} race; of the others compiled code ran ${trusted} and left ${suspected} to the interpreter; ${failures} disagree.`,
);
process.exitCode = failures > 0 ? 1 : 0;
