/** Names of templates and their arguments as nvcc reads them at the end of the file. */
import { unsupported } from '../error.ts';
import type { TemplateValue } from '../trace.ts';
import { spellType } from './types.ts';
import { describeValue } from './values.ts';

/** A qualified name; an anonymous namespace ('') has none and needs none. */
export function spellPath(path: readonly string[]): string {
  return path.filter((part) => part !== '').join('::');
}

/** `softmax_kernel<float, 256>`. @throws CandidateError for an argument that has no spelling. */
export function spellTemplate(path: readonly string[], values: readonly TemplateValue[], line: number): string {
  const name = spellPath(path);
  const written = values.flatMap((v) => (v.kind === 'pack' ? v.values : [v]));
  return values.length === 0 ? name : `${name}<${written.map((v) => spellArgument(v, line)).join(', ')}>`;
}

/** One template argument. */
export function spellArgument(argument: TemplateValue, line: number): string {
  if (argument.kind === 'type') return spellType(argument.type);
  if (argument.kind === 'pack') return argument.values.map((v) => spellArgument(v, line)).join(', ');
  const { value, type } = argument;
  if (value.kind !== 'int') throw unsupported(`${describeValue(value)} as a template argument of a kernel`, line);
  if (value.type.bits === 1) return value.value === 0n ? 'false' : 'true';
  return type.kind === 'int' && type.enumeration ? `(${type.name})${value.value}` : String(value.value);
}
