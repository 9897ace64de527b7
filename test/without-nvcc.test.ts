/** A machine without nvcc: clang stands in for it, with and without ptxas, and where something is missing it is said what. */
import assert from 'node:assert/strict';
import { accessSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { findCompilers, prepareCandidate, readEntries } from '../src/kernel/index.ts';
import { loadTask } from '../src/task/index.ts';
import { root, start } from './program.ts';

const { clang, headers, ptxas } = await findCompilers();
const skip = !clang
  ? 'clang 19 or later is not installed'
  : headers
    ? false
    : "the CUDA toolkit's headers are not installed";

const folder = mkdtempSync(join(tmpdir(), 'assay-no-nvcc-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const onPath = (name: string): string | undefined =>
  (process.env.PATH ?? '')
    .split(delimiter)
    .map((directory) => join(directory, name))
    .find((file) => {
      try {
        accessSync(file);
        return true;
      } catch {
        return false;
      }
    });

/** A machine of links: only the named programs, and a toolkit with the named parts. */
function machine(
  name: string,
  programs: Readonly<Record<string, string | undefined>>,
  parts: readonly string[],
): NodeJS.ProcessEnv {
  const bin = join(folder, name, 'bin');
  const cuda = join(folder, name, 'cuda');
  mkdirSync(bin, { recursive: true });
  mkdirSync(join(cuda, 'nvvm'), { recursive: true });
  for (const [program, path] of Object.entries({ ...programs, bwrap: onPath('bwrap') }))
    if (path !== undefined) symlinkSync(path, join(bin, program));
  for (const part of parts) symlinkSync(join(headers!.root, part), join(cuda, part));
  return { PATH: bin, CUDA_HOME: cuda, CUDA_PATH: '', ASSAY_COMPILER: '' };
}

const whole = ['include', 'nvvm/libdevice'];
const home = join(folder, 'home');
const softmax = [
  join(root, 'examples', 'softmax.py'),
  join(root, 'corpus', 'honest', 'softmax-online-one-warp-a-row.cu'),
];

describe('without nvcc', { skip }, () => {
  const clangOnly = () => ({ 'clang++-19': clang!.path });

  // Shuffles and half precision behind the dispatch macro, cooperative groups. Judged is the one below.
  const honest = [
    ['softmax', 'softmax-dispatch-shuffle'],
    ['layernorm', 'layernorm-cooperative-groups'],
  ] as const;
  for (const [name, candidate] of honest)
    test(`clang builds ${candidate}`, async () => {
      const before = process.env.ASSAY_COMPILER;
      process.env.ASSAY_COMPILER = 'clang';
      try {
        const task = await loadTask(join(root, 'examples', `${name}.py`), { cacheDir: join(folder, 'traces') });
        const source = readFileSync(join(root, 'corpus', 'honest', `${candidate}.cu`), 'utf8');
        const { plan, build } = await prepareCandidate(source, task.signature, {
          arch: 'sm_90',
          cacheDir: join(folder, 'builds'),
        });
        assert.match(build.compiler, /clang version/);
        const entries = new Set(readEntries(build.ptx).map((entry) => entry.name));
        for (const step of plan.steps) assert.ok(step.kind !== 'launch' || entries.has(step.entry));
      } finally {
        if (before === undefined) delete process.env.ASSAY_COMPILER;
        else process.env.ASSAY_COMPILER = before;
      }
    });

  test('without ptxas too the kernel is judged, and what is unknown is named', async () => {
    const environment = machine('bare', clangOnly(), whole);
    const judged = await start(['--home', home, 'judge', ...softmax, '--json'], environment).ended;
    assert.equal(judged.code, 0, judged.stdout + judged.stderr);
    const { verdict, modelled } = JSON.parse(judged.stdout);
    assert.equal(verdict.outcome, 'correct');
    assert.match(modelled.unknown, /^registers and spills: ptxas was not there/);
    assert.ok(modelled.low < modelled.microseconds && modelled.microseconds < modelled.high);
    const plan = await start(['--home', home, 'plan', softmax[1]!, '--task', softmax[0]!], environment).ended;
    assert.equal(plan.code, 0, plan.stdout + plan.stderr);
    assert.match(plan.stdout, /registers, spills and occupancy are not known without ptxas/);
    assert.match(plan.stdout, /ptxas was not found: registers, spills and occupancy are unknown/);
    assert.doesNotMatch(plan.stdout, /occupancy \d/);
  });

  test('doctor says what stands in for what', async () => {
    const { code, stdout } = await start(
      ['doctor', '--json'],
      machine('doctor', { ...clangOnly(), ptxas: ptxas?.path }, whole),
    ).ended;
    assert.equal(code, 0, stdout);
    const { ready, findings } = JSON.parse(stdout) as {
      ready: boolean;
      findings: { name: string; found: boolean; required: boolean; purpose: string }[];
    };
    const of = (name: string) => findings.find((one) => one.name === name)!;
    assert.equal(ready, true);
    assert.deepEqual([of('nvcc').found, of('nvcc').required], [false, false]);
    assert.match(
      of('nvcc').purpose,
      /here .*clang version \d+\S* with the headers of CUDA \d+\.\d+.* does that in its place/,
    );
    assert.equal(of("CUDA's headers").found, true);
    assert.equal(of('ptxas').found, ptxas !== undefined);
  });

  test('without headers it could not be judged, and it is said what to install', async () => {
    const { code, stdout, stderr } = await start(
      ['--home', home, 'plan', softmax[1]!, '--task', softmax[0]!],
      machine('headless', clangOnly(), []),
    ).ended;
    assert.equal(code, 2, stdout + stderr);
    assert.match(
      stderr.replace(/\s+/g, ' '),
      /clang version .* can stand in for nvcc, but CUDA C\+\+ needs the CUDA toolkit's headers/,
    );
  });
});
