/**
 * Kernels that a program launches several times: groups that differ only in which tensors, or which parts of them, they work on share one text. Deep
 * networks repeat their blocks, steps of a loop take one slice after another, and what is compiled once need not be read twice.
 */
import { isReserved } from './decompose/context.ts';
import { type Kernel, Preamble } from './emit/kernel-context.ts';
import type { Group } from './groups.ts';
import { type Program, type ProgramValue, type Step, stepInputs, stepOutputs } from './program.ts';
import { type Affine, product } from './strides.ts';

/** Writes one group's kernel, as it stands in a program that may name values otherwise. */
export type Emit = (index: number, program: Program, group: Group, name: string, preamble: Preamble) => Kernel;

/** A group that may be written alike wherever its tensors lie. */
export interface Placed {
  group: Group;
  /** Where a part of a tensor begins, in elements, that is no multiple of this stays in the text: packs rest on it. */
  grain: number;
}

/**
 * The kernels of all groups, in launch order. Those that are the same but for their tensors have one text, with names that
 * suit all of them; `names[k]` is what group k's kernel is called where it stands for itself, or first.
 */
export function sharedKernels(
  program: Program,
  groups: readonly Placed[],
  names: readonly string[],
  emit: Emit,
  preamble: Preamble,
): Kernel[] {
  const scratch = new Preamble();
  const locals = groups.map((own) => withLocalNames(fromTheirStart(program, own)));
  const classes = new Map<string, number[]>();
  locals.forEach((local, index) => {
    const { text, grid, block } = emit(index, local.program, local.group, 'kernel', scratch);
    const key = JSON.stringify([text, grid, block]);
    classes.set(key, [...(classes.get(key) ?? []), index]);
  });
  const kernels: Kernel[] = [];
  for (const [first, ...others] of classes.values()) {
    if (others.length === 0) {
      kernels[first!] = emit(first!, program, groups[first!]!.group, names[first!]!, preamble);
      continue;
    }
    const write = (index: number, into: Preamble) => {
      const { program: own, group, parts } = locals[index]!;
      return onParts(emit(index, own, group, names[first!]!, into), parts);
    };
    const kernel = write(first!, preamble);
    kernels[first!] = kernel;
    for (const index of others) {
      const { pointers, offsets, writes } = write(index, scratch);
      kernels[index] = { ...kernel, pointers, offsets, writes };
    }
  }
  return kernels;
}

/** A group by itself, with what stands for parts of the program's values in it. */
interface Local {
  program: Program;
  group: Group;
  /** By the id of the value that stands for it. */
  parts: ReadonlyMap<number, Part>;
}

/** A value from one of its elements on. */
interface Part {
  value: number;
  offset: number;
}

/** The kernel with the program's own values for its parts. */
function onParts(kernel: Kernel, parts: Local['parts']): Kernel {
  const offsets = kernel.pointers.map((id) => parts.get(id)?.offset ?? 0);
  return { ...kernel, pointers: kernel.pointers.map((id) => parts.get(id)?.value ?? id), offsets };
}

/** The group with a value of its own for each part of a tensor that it reads from another place than the start. */
function fromTheirStart(program: Program, { group, grain }: Placed): Local {
  const made = new Set(group.steps.flatMap(stepOutputs));
  const values: ProgramValue[] = [...program.values];
  const known = new Map<string, number>();
  const parts = new Map<number, Part>();
  const from = <A extends Affine & { value: number }>(access: A): A => {
    const { value, offset: before } = access;
    const offset = before - (before % grain);
    const { origin, shape } = values[value]!;
    if (offset <= 0 || offset >= product(shape) || made.has(value) || origin.kind === 'table') return access;
    const key = `${value} ${offset}`;
    const id = known.get(key) ?? values.length;
    if (id === values.length) values.push({ ...values[value]!, id });
    known.set(key, id);
    parts.set(id, { value, offset });
    return { ...access, value: id, offset: before - offset };
  };
  const steps = group.steps.map((step) => readingFrom(step, from));
  return { program: { ...program, values }, group: { ...group, steps }, parts };
}

/** The step with its reads of memory replaced; not those of windows, whose tiles keep a start before the tensor. */
function readingFrom(step: Step, from: <A extends Affine & { value: number }>(access: A) => A): Step {
  switch (step.kind) {
    case 'map': {
      const operands = step.operands.map((own) => (own.kind === 'load' ? from(own) : own));
      return { ...step, operands };
    }
    case 'reduce': {
      const { contraction, input } = step;
      if (!contraction) return { ...step, input: from(input) };
      const { a, b } = contraction;
      return { ...step, input: from(input), contraction: { ...contraction, a: from(a), b: b.gather ? b : from(b) } };
    }
    case 'scan':
      return { ...step, inputs: step.inputs.map(from) };
    case 'sort':
      return { ...step, input: from(step.input) };
    case 'recurrent': {
      const { fromInput, weight, bias, initial } = step;
      const own = { fromInput: from(fromInput), weight: from(weight), initial: initial.map(from) };
      return { ...step, ...own, ...(bias && { bias: from(bias) }) };
    }
  }
}

/** The group with its values named by what they are in it, whatever came before: `x`, `weight`, `conv`, `conv_2`. */
function withLocalNames({ program, group, parts }: Local): Local {
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
  return { program: { ...program, values }, group, parts };
}
