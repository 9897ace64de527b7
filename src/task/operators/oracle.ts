/**
 * Asks real PyTorch for the answers to many operator cases at once (one Python process; oracle.py). For tests only.
 * Python is the one named by ASSAY_PYTHON, else `python3`; without torch there are no answers and the tests skip.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Attribute, HostTensor, TensorSpec } from '../types.ts';
import { decode, encode } from './tensor.ts';

/** One application of an operator. */
export interface OperatorCase {
  op: string;
  attributes: Record<string, Attribute>;
  inputs: HostTensor[];
  /** Gradients of the outputs that take part: asks for the gradients of the operands `wrt`. */
  grads?: HostTensor[];
  wrt?: number[];
}

/** `gradients`, where they were asked for: one an operand of `wrt`, null where PyTorch says that nothing flows. */
export type OracleAnswer = { outputs: HostTensor[]; gradients?: (HostTensor | null)[] } | { error: string };

interface WireTensor extends TensorSpec {
  data: string;
}

const python = process.env.ASSAY_PYTHON ?? 'python3';

/** The same answers on every processor: else torch takes other sums where there is AVX2, or AVX-512. */
const onePath = { ATEN_CPU_CAPABILITY: 'default' };

/** Why PyTorch cannot be asked; undefined if it can. */
export function whyNoTorch(): string | undefined {
  const run = spawnSync(python, ['-c', 'import torch'], { encoding: 'utf8' });
  if (run.status === 0) return undefined;
  return `PyTorch was not found (set ASSAY_PYTHON to a Python that imports torch); tried ${python}`;
}

/** PyTorch's answer to every case, in order. */
export function askTorch(cases: readonly OperatorCase[]): OracleAnswer[] {
  const folder = mkdtempSync(join(tmpdir(), 'assay-oracle-'));
  try {
    const wire = (t: HostTensor): WireTensor => ({ ...t.spec, data: Buffer.from(encode(t)).toString('base64') });
    const asked = join(folder, 'cases.jsonl');
    const answered = join(folder, 'answers.jsonl');
    const read = (t: WireTensor) => decode(Buffer.from(t.data, 'base64'), { shape: t.shape, dtype: t.dtype });
    const text = (c: OperatorCase) =>
      JSON.stringify({ ...c, inputs: c.inputs.map(wire), ...(c.grads && { grads: c.grads.map(wire) }) });
    writeFileSync(asked, cases.map((c) => `${text(c)}\n`).join(''));
    const script = fileURLToPath(new URL('./oracle.py', import.meta.url));
    const run = spawnSync(python, [script, asked, answered], { encoding: 'utf8', env: { ...process.env, ...onePath } });
    if (run.status !== 0) throw new Error(`The PyTorch oracle failed: ${run.stderr}`);
    return readFileSync(answered, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => {
        const answer = JSON.parse(line) as
          | { outputs: WireTensor[]; gradients?: (WireTensor | null)[] }
          | { error: string };
        if ('error' in answer) return answer;
        const { outputs, gradients } = answer;
        return { outputs: outputs.map(read), gradients: gradients?.map((t) => t && read(t)) };
      });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
