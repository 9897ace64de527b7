/** Examples optimised on this GPU from the command line, as a person would: the search by measured time, the winner against every baseline, evidence and page into the results. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Place, Stage } from './place.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const EXAMPLES = [
  'softmax',
  'layernorm',
  'rmsnorm',
  'gelu_bias',
  'swiglu',
  'row_sum',
  'cross_entropy',
  'linear_relu',
  'matmul',
];
const SECONDS = 60;

/** What `assay optimize --json` says, as far as it is wanted here. */
interface Said {
  readonly error?: string;
  readonly best?: {
    readonly evidence: string;
    readonly page: string;
    readonly kernel: string;
    readonly speed?: object;
  };
  readonly times?: object;
  readonly speedupClaimed?: object | null;
  readonly remark?: string;
}

function optimised(place: Place, example: string) {
  const { quick, simulated, gpu } = place;
  const size =
    quick || simulated
      ? ['--scale', '20000', '--judgements', '2', '--baselines', 'cublas,builtin']
      : ['--budget', String(SECONDS)];
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [
      ...[
        '--import',
        'tsx',
        'src/cli/main.ts',
        '--home',
        join(place.cache, 'home'),
        'optimize',
        `examples/${example}.py`,
      ],
      ...['--device', `cuda:${gpu}`, '--no-tools', '--json', ...size],
    ],
    { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 26 },
  );
  let said: Said;
  try {
    said = JSON.parse(stdout) as Said;
  } catch {
    said = { error: stderr.trim().split('\n').at(-1) ?? `exit code ${status}` };
  }
  const folder = join(place.folder, 'optimised', example);
  mkdirSync(folder, { recursive: true });
  for (const file of said.best ? [said.best.evidence, said.best.page, said.best.kernel] : []) {
    copyFileSync(file, join(folder, basename(file)));
  }
  process.stdout.write(`${example}: ${said.error ?? said.remark ?? 'no remark'}\n`);
  const { error, times, speedupClaimed, remark, best } = said;
  return { example, found: best !== undefined, error, times, speedupClaimed, remark, speed: best?.speed };
}

export const optimiseStage: Stage = {
  name: 'optimise',
  purpose: 'examples optimised by measured time, against every baseline',
  run: async (place) => {
    const examples = EXAMPLES.filter((name) => name.includes(place.filter)).slice(0, place.quick ? 1 : place.most);
    const { made, left } = await place.each('optimise', examples, String, async (name) => optimised(place, name));
    const found = made.filter((one) => one.found).length;
    const claimed = made.filter(({ speedupClaimed }) => speedupClaimed).length;
    const words = `${found} of ${made.length} examples have a verified kernel, ${claimed} with a claimed speedup; ${left} left`;
    return { passed: made.length > 0 && found === made.length, left, content: { examples: made }, words };
  },
};
