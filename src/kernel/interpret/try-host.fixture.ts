/** For tests: interprets a piece of CUDA C++ with a signature written in one line. */
import assert from 'node:assert/strict';
import type { DType, Signature } from '../../task/index.ts';
import { deviceFactsOf } from '../device-facts.ts';
import { CandidateError, type CandidateErrorKind } from '../error.ts';
import type { HostTrace, TraceLaunch } from '../trace.ts';
import { type HostEnvironment, interpretHost } from './host.ts';
import type { Value } from './values.ts';

/** `x[4,8] w[8]:float16; eps=1e-5 flag=true`: tensors, then scalars. */
export function signatureOf(text: string): Signature {
  const [tensors = '', scalars = ''] = text.split(';');
  return {
    tensors: [...tensors.matchAll(/([\w.]+)\[([\d,]*)\](?::(\w+))?/g)].map((m) => ({
      name: m[1] ?? '',
      role: m[1]?.includes('.') ? (m[1].endsWith('num_batches_tracked') ? 'buffer' : 'parameter') : 'input',
      spec: { shape: (m[2] ?? '').split(',').filter(Boolean).map(Number), dtype: (m[3] ?? 'float32') as DType },
    })),
    scalars: [...scalars.matchAll(/(\w+)=(\S+)/g)].map((m) => ({ name: m[1] ?? '', value: JSON.parse(m[2] ?? '0') })),
    outputs: [],
  };
}

const facts = deviceFactsOf('sm_90');
assert(facts);

export function tryHost(source: string, signature: string, environment: Partial<HostEnvironment> = {}): HostTrace {
  assert(facts);
  return interpretHost(source, signatureOf(signature), { facts, ...environment });
}

export function launches(trace: HostTrace): TraceLaunch[] {
  return trace.steps.flatMap((s) => (s.kind === 'launch' ? [s] : []));
}

/** A value as a person would write it. */
export function shown(value: Value | undefined): unknown {
  switch (value?.kind) {
    case 'int':
      return Number(value.value);
    case 'float':
      return value.value;
    case 'pointer':
      return value.target.kind === 'device' ? `#${value.target.buffer}+${value.target.offset}` : 'null';
    case 'struct':
      return [...value.fields.values()].map((f) => shown(f.value));
    default:
      return value?.kind;
  }
}

/**
 * Runs statements in a host function with a tensor `x` and gives the values passed to `out(...)`, which is a kernel.
 * `types` are the kernel's parameter types.
 */
export function valuesOf(statements: string, types: string, signature = 'x[4,8]', before = ''): unknown[] {
  const parameters = types.split(',').map((t, i) => `${t} p${i}`);
  const trace = tryHost(
    `${before}
__global__ void out(${parameters.join(', ')}) {}
torch::Tensor forward(torch::Tensor x) { ${statements}; return x; }`,
    signature,
  );
  return launches(trace).flatMap((l) => l.arguments.map(shown));
}

/** The error a candidate gives: its kind, line, and a part of its sentence. */
export function assertRefused(
  source: string,
  signature: string,
  kind: CandidateErrorKind,
  message: RegExp,
  line?: number,
): void {
  assert.throws(
    () => tryHost(source, signature),
    (error: unknown) => {
      assert(error instanceof CandidateError, String(error));
      assert.match(error.message, message);
      assert.equal(error.kind, kind, error.message);
      if (line !== undefined) assert.equal(error.line, line, error.message);
      return true;
    },
  );
}
