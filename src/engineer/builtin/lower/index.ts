/** Lowering: a task's graph and a schedule in, a candidate's source out. */
import type { Task } from '../../../task/index.ts';
import { decompose } from './decompose/index.ts';
import { type Kernel, Preamble } from './emit/kernel-context.ts';
import { mapKernel } from './emit/map-kernel.ts';
import { mmaKernel } from './emit/mma-kernel.ts';
import { pipelineKernel } from './emit/pipeline-kernel.ts';
import { recurrentKernel } from './emit/recurrent-kernel.ts';

import { rowKernel } from './emit/row-kernel.ts';
import { scanKernel } from './emit/scan-kernel.ts';
import { sortKernel } from './emit/sort-kernel.ts';
import { candidateSource, type Version } from './emit/source.ts';
import { tileKernel } from './emit/tile-kernel.ts';
import { windowKernel } from './emit/window-kernel.ts';
import { type Group, partition, storedValues } from './groups.ts';
import type { Program } from './program.ts';
import type { KernelChoice, Schedule } from './schedule.ts';
import { sharedKernels } from './shared-kernels.ts';
import { splitReductions } from './split.ts';

export { decompose, supportedOperators } from './decompose/index.ts';
export { storedValues } from './groups.ts';
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
  own: Outline,
  choices: readonly KernelChoice[],
  about: readonly string[] = [],
): string {
  const preamble = new Preamble();
  return candidateSource([version(task, own, choices, preamble)], preamble, about);
}

/** An outline with the choices for its groups, at the shapes of one task. */
export interface ChosenOutline {
  task: Task;
  outline: Outline;
  choices: readonly KernelChoice[];
}

/** Writes one candidate for a task at its file's own shapes and for the same at the shapes where all of it can be verified. */
export function lowerForBoth(own: ChosenOutline, verified: ChosenOutline, about: readonly string[]): string {
  const preamble = new Preamble();
  const versions = [
    { ...version(own.task, own.outline, own.choices, preamble), shapes: "the file's own shapes" },
    {
      ...version(verified.task, verified.outline, verified.choices, preamble, '_verified'),
      shapes: 'the smaller shapes at which every element is compared',
    },
  ];
  return candidateSource(versions, preamble, about);
}

function version(
  task: Task,
  { program, groups }: Outline,
  choices: readonly KernelChoice[],
  preamble: Preamble,
  suffix = '',
): Version {
  if (choices.length !== groups.length)
    throw new Error(`the schedule has ${choices.length} choices for ${groups.length} kernels`);
  const names = groups.map(({ group }, index) => `${kernelName(program, group, index, groups.length)}${suffix}`);
  const kernels = sharedKernels(
    program,
    groups.map(({ group }, index) => ({ group, grain: grainOf(choices[index]!) })),
    names,
    (index, named, group, name, into) => emit(name, named, group, groups[index]!.stored, choices[index]!, into),
    preamble,
  );
  return { program, signature: task.signature, kernels };
}

/** Elements of the widest pack that any kernel reads. */
const widestPack = 16;

/** What a choice's packs rest on: where a part of a tensor begins, in elements. */
function grainOf(choice: KernelChoice): number {
  const single = (choice.family === 'map' || choice.family === 'row') && choice.vector === 1;
  return single || choice.family === 'recurrent' ? 1 : widestPack;
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
    case 'mma':
      return mmaKernel(name, program, group, stored, choice, preamble);
    case 'pipeline':
      return pipelineKernel(name, program, group, stored, choice, preamble);
    case 'window':
      return windowKernel(name, program, group, stored, choice, preamble);
    case 'scan':
      return scanKernel(name, program, group, stored, choice, preamble);
    case 'sort':
      return sortKernel(name, program, group, stored, choice, preamble);
    case 'recurrent':
      return recurrentKernel(name, program, group, stored, choice, preamble);
  }
}

/** Named after the group's operators, numbered when there are several kernels. */
function kernelName(program: Program, group: Group, index: number, count: number): string {
  const operators = [...new Set(group.steps.map((step) => program.nodes[step.node]?.op ?? 'copy'))];
  const base = operators.slice(0, 3).join('_') + (operators.length > 3 ? '_and_more' : '');
  return count === 1 ? `${base}_kernel` : `${base}_kernel_${index + 1}`;
}
