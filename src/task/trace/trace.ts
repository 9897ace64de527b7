/** One task file to graph, scalars and the constants that set its sizes, through the sandbox, cached by content. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import type { Settings } from '../configurations.ts';
import type { DType, Graph, InitScalar, ModelMode } from '../types.ts';
import { answerSchema, checkGraph } from './graph-check.ts';
import { DEFAULT_LIMITS, Sandbox, type SandboxLimits, tracerVersion } from './sandbox.ts';
import { TaskError } from './task-error.ts';

/** An integer literal of the file that sets sizes: a module-level assignment, or a literal in get_inputs or get_init_inputs. */
export interface SizeConstant {
  /** `batch_size`, `shape[1]`, `number 1 of get_inputs` (the first literal in that function). */
  name: string;
  value: number;
  line: number;
}

export interface Traced {
  graph: Graph;
  scalars: InitScalar[];
  constants: SizeConstant[];
  /** The file is in the functional form: the model calls `fn`, and a candidate takes what `fn` is given, in that order. */
  functional: boolean;
  /** The first thing in forward that keeps the values and changes the gradients (detach, no_grad, a backward of the file's own), where there is one. */
  stops?: { what: string; line: number };
}

/** Traces one file, at its own sizes or with some constants replaced. */
export class FileTracer {
  readonly #name: string;
  readonly #source: string;
  readonly #cacheDir: string;
  readonly #limits: SandboxLimits;
  readonly #settings: Settings | undefined;
  readonly #dtype: DType | undefined;
  readonly #mode: ModelMode | undefined;
  #sandbox: Promise<Sandbox> | undefined;

  /** `name` is for messages; `cacheDir` keeps traces and the interpreter's snapshot, and may be shared; `settings` are keyword arguments; all floating tensors are cast to `dtype`, and the model is put into `mode`, first. */
  constructor(
    name: string,
    source: string,
    cacheDir: string,
    {
      limits = DEFAULT_LIMITS,
      settings,
      dtype,
      mode,
    }: { limits?: SandboxLimits; settings?: Settings; dtype?: DType; mode?: ModelMode } = {},
  ) {
    this.#settings = settings;
    this.#dtype = dtype;
    this.#mode = mode;
    this.#name = name;
    this.#source = source;
    this.#cacheDir = cacheDir;
    this.#limits = limits;
  }

  /** The trace with these constants replaced. Throws TaskError. */
  async trace(overrides: Readonly<Record<string, number>> = {}): Promise<Traced> {
    const request = JSON.stringify({
      source: this.#source,
      overrides,
      settings: this.#settings,
      dtype: this.#dtype,
      mode: this.#mode,
    });
    const key = createHash('sha256').update(`${tracerVersion}\n${request}`).digest('hex');
    const file = join(this.#cacheDir, `trace-${key}.json`);
    const cached = this.#cached(file);
    if (cached !== undefined) return readAnswer(this.#name, cached);
    const text = await this.#run(request);
    const traced = readAnswer(this.#name, text); // an error is not kept: it is quick to find again
    this.#keep(file, text);
    return traced;
  }

  /** End the sandbox, if one was started. */
  async close(): Promise<void> {
    const sandbox = this.#sandbox;
    this.#sandbox = undefined;
    await sandbox?.then(
      (s) => s.close(),
      () => {},
    );
  }

  #cached(file: string): string | undefined {
    try {
      return readFileSync(file, 'utf8');
    } catch {
      return undefined;
    }
  }

  #keep(file: string, text: string): void {
    mkdirSync(this.#cacheDir, { recursive: true });
    const partial = `${file}.${randomBytes(6).toString('hex')}`;
    writeFileSync(partial, text);
    renameSync(partial, file);
  }

  async #run(request: string): Promise<string> {
    this.#sandbox ??= Sandbox.open(this.#cacheDir, this.#limits);
    try {
      return await (await this.#sandbox).trace(request);
    } catch (error) {
      this.#sandbox = undefined; // it is dead
      if (error instanceof TaskError) throw new TaskError(error.kind, `${this.#name}: ${error.message}.`, error.line);
      throw error;
    }
  }
}

type Answer = z.infer<typeof answerSchema>;
type TracerError = Extract<Answer, { error: unknown }>['error'];

/** The tracer's text as an answer, or what is wrong with it. */
function parseAnswer(text: string): Answer | string {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return String((error as Error).message);
  }
  const parsed = answerSchema.safeParse(json);
  return parsed.success ? parsed.data : z.prettifyError(parsed.error).slice(0, 500);
}

/** The tracer's answer about the file `name`, believed only as far as it checks. Throws TaskError. */
export function readAnswer(name: string, text: string): Traced {
  const parsed = parseAnswer(text);
  if (typeof parsed === 'string')
    throw new TaskError('invalid', `${name}: the trace is not a well-formed graph: ${parsed}.`);
  if ('error' in parsed) throw explain(name, parsed.error);
  const graph = parsed.graph as Graph;
  try {
    checkGraph(graph);
  } catch (error) {
    throw new TaskError('invalid', `${name}: the traced graph does not check: ${(error as Error).message}`);
  }
  const { constants, functional, stops } = parsed;
  return {
    ...{ graph, constants, functional, scalars: parsed.scalars as InitScalar[] },
    ...(stops && { stops: { what: stops[0], line: stops[1] } }),
  };
}

function explain(name: string, { kind, message, line, column, text }: TracerError): TaskError {
  const where = line > 0 ? `${name}, line ${line}` : name;
  const sentence = /[.!?]$/.test(message) ? message : `${message}.`;
  if (kind !== 'syntax') return new TaskError(kind, `${where}: ${sentence}`, line);
  const caret = text !== undefined ? `\n    ${text}\n    ${' '.repeat(Math.max(0, (column ?? 1) - 1))}^` : '';
  return new TaskError(kind, `${where}: not valid Python: ${sentence}${caret}`, line);
}
