/**
 * Kernels that a program launches several times: groups that differ only in which tensors they work on share one text. Deep
 * networks repeat their blocks, and what is compiled once need not be read twice.
 */
import { isReserved } from './decompose/context.ts';
import { type Kernel, Preamble } from './emit/kernel-context.ts';
import type { Group } from './groups.ts';
import { type Program, stepInputs, stepOutputs } from './program.ts';

/** Writes one group's kernel from a program whose values have the names to be used. */
export type Emit = (index: number, program: Program, name: string, preamble: Preamble) => Kernel;

/**
 * The kernels of all groups, in launch order. Those that are the same but for their tensors have one text, with names that
 * suit all of them; `names[k]` is what group k's kernel is called where it stands for itself, or first.
 */
export function sharedKernels(
  program: Program,
  groups: readonly Group[],
  names: readonly string[],
  emit: Emit,
  preamble: Preamble,
): Kernel[] {
  const scratch = new Preamble();
  const locals = groups.map((group) => withLocalNames(program, group));
  const classes = new Map<string, number[]>();
  locals.forEach((local, index) => {
    const { text, grid, block } = emit(index, local, 'kernel', scratch);
    const key = JSON.stringify([text, grid, block]);
    classes.set(key, [...(classes.get(key) ?? []), index]);
  });
  const kernels: Kernel[] = [];
  for (const [first, ...others] of classes.values()) {
    const alone = others.length === 0;
    const kernel = emit(first!, alone ? program : locals[first!]!, names[first!]!, preamble);
    kernels[first!] = kernel;
    for (const index of others) {
      const { pointers, writes } = emit(index, locals[index]!, names[first!]!, scratch);
      kernels[index] = { ...kernel, pointers, writes };
    }
  }
  return kernels;
}

/** The program with a group's values named by what they are in it, whatever came before: `x`, `weight`, `conv`, `conv_2`. */
function withLocalNames(program: Program, group: Group): Program {
  const made = new Set(group.steps.flatMap(stepOutputs));
  const values = [...program.values];
  const taken = new Set<string>();
  const seen = new Set<number>();
  for (const id of group.steps.flatMap((step) => [...stepInputs(step), ...stepOutputs(step)])) {
    if (seen.has(id)) continue;
    seen.add(id);
    const { name, origin } = values[id]!;
    const kind = /(weight|bias|running_mean|running_var)$/.exec(name)?.[1];
    const own = made.has(id) || origin.kind === 'table' ? name.replace(/(_\d+)+$/, '') : undefined;
    const base = own ?? kind ?? 'x';
    let local = base;
    for (let k = 2; taken.has(local) || isReserved(local); k++) local = `${base}_${k}`;
    taken.add(local);
    values[id] = { ...values[id]!, name: local };
  }
  return { ...program, values };
}
