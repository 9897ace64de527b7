/**
 * robust-kbench's form of a task: a folder with `func_forward.py` and, beside it, `config_forward.json`, which lists keyword arguments
 * for the model and for `get_inputs` (those of `shared` go to both). A configuration is one combination of them.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import * as z from 'zod';
import { TaskError } from './trace/task-error.ts';

const FORWARD = 'func_forward.py';
const CONFIGURATIONS = 'config_forward.json';

const value = z.union([z.number(), z.string().max(1000), z.boolean(), z.null(), z.array(z.number())]);
const settings = z.record(z.string().max(200), value);
const list = z.array(settings).max(100).optional();
const schema = z.looseObject({
  single_input_configs: list,
  single_init_configs: list,
  single_shared_configs: list,
  multi_input_configs: list,
  multi_init_configs: list,
  multi_shared_configs: list,
});

/** Keyword arguments of one configuration. Each function is given those that it takes. */
export interface Settings {
  init: Readonly<Record<string, z.infer<typeof value>>>;
  input: Readonly<Record<string, z.infer<typeof value>>>;
}

/** Where a task's text lies, what it is called, and its configurations (none: the file's own sizes). */
export interface TaskPlace {
  file: string;
  name: string;
  configurations: readonly Settings[];
}

/** Finds a task: a file in KernelBench's form, or a folder (or its `func_forward.py`) in robust-kbench's. Throws TaskError. */
export function findTask(path: string): TaskPlace {
  const folder = statSync(path, { throwIfNoEntry: false })?.isDirectory();
  const file = folder ? join(path, FORWARD) : path;
  if (folder && !existsSync(file))
    throw new TaskError('invalid', `The folder ${path} is no task: it has no ${FORWARD}. Name a task file instead.`);
  if (basename(file) !== FORWARD) return { file, name: basename(file).replace(/\.py$/, ''), configurations: [] };
  const listed = join(dirname(file), CONFIGURATIONS);
  return {
    file,
    name: basename(dirname(resolve(file))),
    configurations: existsSync(listed) ? readConfigurations(readFileSync(listed, 'utf8'), listed) : [],
  };
}

/** The single configuration first, then every combination of the multiple ones that is not yet there. Throws TaskError. */
export function readConfigurations(text: string, file: string): Settings[] {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new TaskError('invalid', `${file} is not JSON: ${(error as Error).message}.`);
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success)
    throw new TaskError('invalid', `${file} does not list configurations: ${z.prettifyError(parsed.error)}`);
  const found = new Map<string, Settings>();
  for (const kind of ['single', 'multi'] as const) {
    const { data } = parsed;
    for (const init of data[`${kind}_init_configs`] ?? [{}])
      for (const input of data[`${kind}_input_configs`] ?? [{}])
        for (const shared of data[`${kind}_shared_configs`] ?? [{}]) {
          const both = { init: { ...init, ...shared }, input: { ...input, ...shared } };
          found.set(JSON.stringify(both), both);
        }
  }
  return [...found.values()];
}

/** `batch_size = 8, dim = 64`: what tells a configuration from another. */
export function settingsText({ init, input }: Settings): string {
  return Object.entries({ ...init, ...input })
    .map(([name, value]) => `${name} = ${JSON.stringify(value)}`)
    .join(', ');
}
