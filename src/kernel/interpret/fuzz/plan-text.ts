/** A trace as the lines that recording-torch.h prints for the same host function. */
import type { HostTrace, TraceStep } from '../../trace.ts';
import type { PlanTensor } from '../../types.ts';
import type { Value } from '../values.ts';

function list(values: readonly number[]): string {
  return `[${values.join(',')}]`;
}

function tensor(t: PlanTensor): string {
  return `${t.buffer}:${t.dtype}${list(t.shape)}${list(t.strides)}+${t.offset}`;
}

function value(v: Value | undefined): string {
  switch (v?.kind) {
    case 'int':
      return String(v.value);
    case 'float':
      return `f${v.value}`;
    case 'pointer':
      if (v.target.kind === 'null') return 'null';
      return v.target.kind === 'device' ? `#${v.target.buffer}+${v.target.offset}` : v.target.kind;
    case 'struct':
      return `{${[...v.fields.values()].map((f) => value(f.value)).join(' ')}}`;
    case 'list':
      return `[${v.cells.map((f) => value(f.value)).join(' ')}]`;
    default:
      return v?.kind ?? 'nothing';
  }
}

function step(s: TraceStep): string {
  switch (s.kind) {
    case 'launch': {
      const dim = (d: readonly number[]): string => `{${d.join(' ')}}`;
      const args = s.arguments.map((a) => ` ${value(a)}`).join('');
      return `launch ${s.kernel.spelling} ${dim(s.grid)} ${dim(s.block)} ${s.dynamicSharedBytes} ${s.allowedDynamicSharedBytes} :${args}`;
    }
    case 'fill':
      return `fill ${tensor(s.tensor)} ${s.bytes}`;
    case 'copy':
      return `copy ${tensor(s.from)} ${tensor(s.to)}`;
    default:
      return s.kind;
  }
}

/** Buffers, steps and outputs, a line each. */
export function planText(trace: HostTrace): string[] {
  return [
    ...trace.buffers.map((b) => `buffer ${b.id} ${b.bytes} ${b.kind}`),
    ...trace.steps.map(step),
    ...trace.outputs.map((t) => `output ${tensor(t)}`),
  ];
}

const REAL = /f-?(?:[\d.]+(?:e[+-]?\d+)?|inf(?:inity)?|nan)/gi;

/** The same line, numbers with a fraction compared as numbers: C prints 17 digits of them. */
export function sameLine(a: string, b: string): boolean {
  if (a === b) return true;
  const canonical = (text: string): string =>
    text.replace(REAL, (number) => {
      const plain = number.slice(1).toLowerCase();
      if (plain.includes('nan')) return 'fnan';
      return `f${plain.includes('inf') ? (plain.startsWith('-') ? '-inf' : 'inf') : Number(plain)}`;
    });
  return canonical(a) === canonical(b);
}
