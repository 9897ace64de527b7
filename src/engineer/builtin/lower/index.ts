/** Lowering: a task's graph and a schedule in, a candidate's source out. */
import type { Task } from '../../../task/index.ts';
import { decompose } from './decompose/index.ts';
import { type Kernel, Preamble } from './emit/kernel-context.ts';
import { mapKernel } from './emit/map-kernel.ts';
import { rowKernel } from './emit/row-kernel.ts';
import { scanKernel } from './emit/scan-kernel.ts';
import { candidateSource } from './emit/source.ts';
import { tileKernel } from './emit/tile-kernel.ts';
import { type Group, partition, storedValues } from './groups.ts';
import type { Program } from './program.ts';
import type { KernelChoice, Schedule } from './schedule.ts';
import { splitReductions } from './split.ts';

export { decompose, supportedOperators } from './decompose/index.ts';
export { LoweringError, type Program } from './program.ts';
export type { KernelChoice, Schedule } from './schedule.ts';

/** A program cut into kernels, before their knobs are chosen. */
export interface Outline {
  program: Program;
  groups: readonly { group: Group; stored: readonly number[] }[];
}

/** Rows below which a fused kernel keeps to one loop: fewer blocks than a large GPU has multiprocessors. */
const fewRows = 32;

/** Applies the schedule's splits and fusion. */
export function outline(program: Program, schedule: Pick<Schedule, 'fusion' | 'splits'>): Outline {
  const parts = new Map(Object.entries(schedule.splits).map(([value, count]) => [Number(value), count]));
  const split = splitReductions(program, parts);
  const { groups } = partition(split, { fusion: schedule.fusion, fewRows: schedule.fusion === 'fused' ? fewRows : 0 });
  return {
    program: split,
    groups: groups.map((group, index) => ({ group, stored: storedValues(split, groups, index) })),
  };
}

/** Writes the candidate of a task under a schedule that fits its outline. Throws LoweringError for what cannot be lowered. */
export function lowerTask(task: Task, schedule: Schedule, about: readonly string[] = []): string {
  return lowerOutline(task, outline(decompose(task.graph, task.signature), schedule), schedule.kernels, about);
}

/** Writes the candidate of an outline, one choice a group. */
export function lowerOutline(
  task: Task,
  { program, groups }: Outline,
  choices: readonly KernelChoice[],
  about: readonly string[] = [],
): string {
  const preamble = new Preamble();
  const kernels = groups.map(({ group, stored }, index) => {
    const choice = choices[index];
    if (!choice) throw new Error(`the schedule has no choice for kernel ${index + 1} of ${groups.length}`);
    return emit(kernelName(program, group, index, groups.length), program, group, stored, choice, preamble);
  });
  return candidateSource(program, task.signature, kernels, preamble, about);
}

function emit(
  name: string,
  program: Program,
  group: Group,
  stored: readonly number[],
  choice: KernelChoice,
  preamble: Preamble,
): Kernel {
  switch (choice.family) {
    case 'map':
      return mapKernel(name, program, group, stored, choice, preamble);
    case 'row':
      return rowKernel(name, program, group, stored, choice, preamble);
    case 'tile':
      return tileKernel(name, program, group, stored, choice, preamble);
    case 'scan':
      return scanKernel(name, program, group, stored, choice, preamble);
  }
}

/** Named after the group's operators, numbered when there are several kernels. */
function kernelName(program: Program, group: Group, index: number, count: number): string {
  const operators = [...new Set(group.steps.map((step) => program.nodes[step.node]?.op ?? 'copy'))];
  const base = operators.slice(0, 3).join('_') + (operators.length > 3 ? '_and_more' : '');
  return count === 1 ? `${base}_kernel` : `${base}_kernel_${index + 1}`;
}
