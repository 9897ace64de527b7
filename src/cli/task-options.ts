/** Options of every command that reads a task: at which sizes, in which arithmetic, which configuration, in which mode, forward or backward. */
import { type Command, Option } from 'commander';
import { type FullTask, type LoadOptions, loadWithFull, type PrecisionPolicy, type Task } from '../task/index.ts';
import type { Places } from './places.ts';
import { whole } from './whole-number.ts';

export interface TaskOptions {
  scale?: number;
  precision: PrecisionPolicy;
  configuration?: number;
  reference: 'own' | 'torch';
  eval: boolean;
  backward: boolean;
}

const precisions: readonly PrecisionPolicy[] = ['fp32', 'tf32', 'fp16', 'bf16'];

const TASK = "a PyTorch file in KernelBench's form, or a folder in robust-kbench's";

/** Adds the task argument and its options to a command. */
export function taking(command: Command): Command {
  return withTaskOptions(command.argument('<task>', TASK));
}

/** Adds the task as an option that must be given, and its options. */
export function takingOption(command: Command): Command {
  return withTaskOptions(command.requiredOption('--task <file>', TASK));
}

function withTaskOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--scale <operations>',
        "shrink the task's shapes until it needs at most this many operations",
      ).argParser(whole(1)),
    )
    .addOption(
      new Option(
        '--precision <policy>',
        'arithmetic that a kernel may use; with fp16 and bf16 its tensors have that type',
      )
        .choices(precisions)
        .default('fp32'),
    )
    .addOption(
      new Option('--configuration <number>', 'which configuration of a task that lists several, from 0').argParser(
        whole(0),
      ),
    )
    .addOption(
      new Option('--reference <whose>', 'with `torch`, real PyTorch must agree with the reference (ASSAY_PYTHON)')
        .choices(['own', 'torch'])
        .default('own'),
    )
    .option('--eval', 'as `model.eval()` leaves the model: no dropout, batch norm by its running statistics', false)
    .option('--backward', "the task's gradients: of inputs and parameters, from those of its outputs", false);
}

/** What the task room is told of them. */
export function loadOptions(options: TaskOptions, places: Places): LoadOptions {
  const { scale, precision, configuration, reference, backward } = options;
  const mode = options.eval ? ('eval' as const) : undefined;
  return { cacheDir: places.traces, scale, precision, configuration, reference, mode, backward };
}

/** Loads the task that a command was given; where it was scaled, also at its file's own shapes. Throws TaskError. */
export function taskFrom(file: string, options: TaskOptions, places: Places): Promise<{ task: Task; full?: FullTask }> {
  return loadWithFull(file, loadOptions(options, places));
}
