/**
 * Random host functions compiled by g++ against recording-torch.h and run, and the same ones interpreted: buffers, fills, copies,
 * launches, outputs and failures must agree. Many programs share one compilation.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { deviceFactsOf } from '../../device-facts.ts';
import { CandidateError } from '../../error.ts';
import { tryHost } from '../try-host.fixture.ts';
import { LIBRARY, VARIABLES } from './arithmetic.ts';
import { planText, sameLine } from './plan-text.ts';
import { choicesOf } from './random.ts';
import { type HostProgram, launchesAsCalls, randomHostProgram, sharedText } from './tensors.ts';

const HEADER = fileURLToPath(new URL('recording-torch.h', import.meta.url));
/** Undefined behaviour and broken promises to the library trap. */
const FLAGS = [
  '-O0',
  '-w',
  '-std=c++20',
  '-D_GLIBCXX_ASSERTIONS',
  '-D__restrict__=',
  '-fsanitize=signed-integer-overflow,integer-divide-by-zero,shift,float-cast-overflow,bounds',
  '-fsanitize-undefined-trap-on-error',
];

export function hasCompiler(): boolean {
  try {
    execFileSync('g++', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** g++ with the header compiled once; `remove` deletes its folder. */
export class RecordingCompiler {
  private readonly folder = mkdtempSync(join(tmpdir(), 'assay-host-fuzz-'));
  private readonly flags: string[];

  constructor() {
    const facts = deviceFactsOf('sm_90');
    if (!facts) throw new Error('no facts of sm_90');
    this.flags = [
      ...FLAGS,
      `-DFACT_MULTIPROCESSORS=${facts.multiprocessors}`,
      `-DFACT_THREADS=${facts.maxThreadsPerMultiprocessor}`,
      `-DFACT_SHARED=${facts.sharedBytesPerBlockOptIn}`,
      `-DFACT_MAJOR=${facts.computeCapability[0]}`,
      `-DFACT_MINOR=${facts.computeCapability[1]}`,
    ];
    const compiled = join(this.folder, 'torch.h.gch');
    execFileSync('g++', [...this.flags, '-x', 'c++-header', '-o', compiled, HEADER]);
  }

  /**
   * What each program recorded: how it ended, then a line for each buffer, step and output. Undefined for a program that g++ refuses by itself: it is found by
   * halving, so that one program does not cost its whole batch.
   */
  run(programs: readonly HostProgram[]): (string[] | undefined)[] {
    try {
      return this.runTogether(programs);
    } catch (error) {
      if (!(error instanceof Error && 'stderr' in error && / error: /.test(String(error.stderr)))) throw error;
      if (programs.length === 1) return [undefined];
      const half = programs.length >> 1;
      return [...this.run(programs.slice(0, half)), ...this.run(programs.slice(half))];
    }
  }

  private runTogether(programs: readonly HostProgram[]): string[][] {
    const source = join(this.folder, 'programs.cpp');
    const binary = join(this.folder, 'programs');
    writeFileSync(source, compilerText(programs));
    execFileSync('g++', [...this.flags, '-I', this.folder, '-include', 'torch.h', '-o', binary, source], {
      stdio: 'pipe',
    });
    const output = execFileSync(binary, { encoding: 'utf8', maxBuffer: 2 ** 30, stdio: 'pipe' });
    return output
      .split('\n--\n')
      .slice(0, -1)
      .map((text) => text.split('\n'));
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function compilerText(programs: readonly HostProgram[]): string {
  const functions = programs.map(({ inputs, returns, body }, i) => {
    const parameters = inputs.map((p) => `torch::Tensor ${p.name}`).join(', ');
    const made = inputs.map((p) => {
      const constant = {
        float32: 'Float',
        float64: 'Double',
        float16: 'Half',
        bfloat16: 'BFloat16',
        int32: 'Int',
        int64: 'Long',
      };
      const type = constant[p.dtype as keyof typeof constant] ?? 'Byte';
      return `auto ${p.name} = recorder::argument({${p.shape.join(', ')}}, at::ScalarType::${type});`;
    });
    const names = inputs.map((p) => p.name).join(', ');
    return `${returns} forward_${i}(${parameters}) { ${VARIABLES}\n  ${launchesAsCalls(body)}\n}
void program_${i}() { ${made.join(' ')} recorder::output(forward_${i}(${names})); }`;
  });
  return `${LIBRARY}${sharedText(true)}
${functions.join('\n')}
int main() { recorder::runAll({ ${programs.map((_, i) => `program_${i}`).join(', ')} }); }`;
}

const SHARED = `#include <torch/extension.h>\n${LIBRARY}${sharedText(false)}`;

/** The program as a candidate. */
export function candidateText({ inputs, returns, body }: HostProgram): string {
  const parameters = inputs.map((p) => `torch::Tensor ${p.name}`).join(', ');
  return `${SHARED}\n${returns} forward(${parameters}) { ${VARIABLES}\n  ${body}\n}`;
}

export interface Comparison {
  programs: number;
  /** How many ended without a failure on both sides. */
  defined: number;
  launches: number;
  /** Programs that g++ did not compile: nothing is said of them. */
  refused: number;
  /** A sentence and the program for each one that differs. */
  differences: string[];
}

/** Programs of the seeds `first` to `first + count - 1`. */
export function compareHostPrograms(compiler: RecordingCompiler, first: number, count: number): Comparison {
  const programs = Array.from({ length: count }, (_, i) => randomHostProgram(choicesOf(first + i)));
  const recorded = compiler.run(programs);
  const result: Comparison = { programs: count, defined: 0, launches: 0, refused: 0, differences: [] };
  programs.forEach((program, i) => {
    const expected = recorded[i];
    if (expected === undefined) {
      result.refused++;
      return;
    }
    const ends = expected[0] === 'ends';
    if (ends) result.defined++;
    result.launches += expected.filter((line) => line.startsWith('launch')).length;
    const difference = differenceOf(program, expected);
    if (difference)
      result.differences.push(`seed ${first + i}: ${difference}\n${program.signature}\n  ${program.body}\n`);
  });
  return result;
}

/** Nothing is allocated on either side: a large workspace is no difference. */
const NO_LIMITS = { workspaceBytes: Number.MAX_SAFE_INTEGER };

/** How the interpreter's plan differs from what the compiled program recorded; undefined where it does not. */
function differenceOf(program: HostProgram, expected: readonly string[]): string | undefined {
  const [ending = '', ...lines] = expected;
  let plan: string[];
  try {
    plan = planText(tryHost(candidateText(program), program.signature, { limits: NO_LIMITS }));
  } catch (error) {
    if (!(error instanceof CandidateError)) throw error;
    if ((error.kind !== 'invalid' && error.kind !== 'fails') || ending === 'ends')
      return `g++ ${ending}, the interpreter says ${error.message}`;
    // A failed check is the candidate's own sentence: it must come out the same.
    const own = /^throws !(.*)$/.exec(ending)?.[1];
    return own === undefined || error.message.endsWith(own)
      ? undefined
      : `g++ ${ending}, the interpreter says ${error.message}`;
  }
  if (ending !== 'ends') return `g++ ${ending}, the interpreter makes a plan`;
  const order = [...lines.filter((l) => !l.startsWith('output')), ...lines.filter((l) => l.startsWith('output'))];
  const at = order.findIndex((line, i) => !sameLine(line, plan[i] ?? ''));
  if (at < 0 && plan.length === order.length) return undefined;
  const where = at < 0 ? order.length : at;
  return `g++ records ${order[where] ?? 'nothing more'}, the interpreter ${plan[where] ?? 'nothing more'}`;
}
