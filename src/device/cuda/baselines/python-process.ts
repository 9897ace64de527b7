/** A Python process of ours that answers requests, one line each, behind a wall: the task's code runs in it. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { behindWall } from '../../../isolation/index.ts';
import { type TorchPython, taskPython } from '../../../task/index.ts';
import { pack, unpack } from '../exchange.ts';
import { gpuFiles } from '../gpu-files.ts';

const script = fileURLToPath(new URL('./baseline.py', import.meta.url));

/** Either what was asked for, or why not: a sentence. */
export type Said = { readonly value: unknown } | { readonly failed: string };

/** A value as it travels: its bytes stand in `file`. */
interface Packed {
  readonly json: unknown;
  readonly file: string;
}

/** A file that carries bytes. We know it by its descriptor, whatever the process makes of its name. */
interface Carrier {
  readonly file: string;
  readonly descriptor: number;
}

function newCarrier(file: string): Carrier {
  return { file, descriptor: openSync(file, 'wx+', 0o600) };
}

export class PythonProcess {
  readonly #folder: string;
  readonly #request: Carrier;
  readonly #answer: Carrier;
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #exited: Promise<void>;
  #ended: Promise<void> | undefined;
  #errors = '';
  #settle: ((said: Said) => void) | undefined;

  private constructor(folder: string, child: ChildProcessByStdio<Writable, Readable, Readable>) {
    this.#folder = folder;
    this.#request = newCarrier(join(folder, 'baseline-request'));
    this.#answer = newCarrier(join(folder, 'baseline-answer'));
    this.#child = child;
    this.#exited = new Promise((resolve) => child.once('close', () => resolve()));
    child.stderr.on('data', (chunk: Buffer) => {
      this.#errors = (this.#errors + chunk.toString()).slice(-4000);
    });
    child.stdin.on('error', () => undefined); // Its end says why.
    createInterface({ input: child.stdout }).on('line', (line) => this.#answered(line));
    child.once('error', (error) => this.#settle?.({ failed: error.message }));
    child.once('close', (code, by) => {
      const last = this.#errors.trim().split('\n').at(-1);
      this.#settle?.({
        failed: `The process of PyTorch ended (${by ?? `exit code ${code}`})${last ? `: ${last}` : '.'}`,
      });
    });
  }

  /** Starts one. `gpu`: it may use the GPUs. `root`: the folder it may write; compiled code stays there for the next one. */
  static async start({ python, folders }: TorchPython, gpu: boolean, root: string): Promise<PythonProcess> {
    const folder = mkdtempSync(join(root, 'process-'));
    const readable = [...folders, dirname(script), taskPython, ...(gpu ? ['/sys', '/usr/local/cuda'] : [])];
    const command = [python, '-u', script, folder, taskPython];
    const [program, ...rest] = await behindWall(command, root, readable, gpu ? gpuFiles() : []);
    const child = spawn(program!, rest, {
      cwd: folder,
      env: {
        PATH: process.env.PATH ?? '/usr/bin:/bin',
        HOME: folder,
        USER: 'assay', // PyTorch's compiler asks for a name; behind the wall nobody else knows one.
        TMPDIR: folder,
        TORCHINDUCTOR_CACHE_DIR: join(root, 'inductor'),
        TRITON_CACHE_DIR: join(root, 'triton'),
        // No processes beside this one that compile while times are taken.
        TORCHINDUCTOR_COMPILE_THREADS: '1',
        CUDA_DEVICE_ORDER: 'PCI_BUS_ID',
        ...(process.env.LD_LIBRARY_PATH === undefined ? {} : { LD_LIBRARY_PATH: process.env.LD_LIBRARY_PATH }),
      },
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    return new PythonProcess(folder, child);
  }

  /** Asks, under a limit on wall clock; a process that does not answer in time is ended. */
  ask(request: object, milliseconds: number, signal?: AbortSignal): Promise<Said> {
    return new Promise((resolve, reject) => {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
        resolve({ failed: 'The process of PyTorch has ended.' });
        return;
      }
      const finish = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
        this.#settle = undefined;
      };
      const abort = () => {
        finish();
        this.kill();
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        finish();
        this.kill();
        resolve({ failed: `PyTorch was stopped after ${milliseconds / 1000} s.` });
      }, milliseconds);
      this.#settle = (said) => {
        finish();
        resolve(said);
      };
      signal?.addEventListener('abort', abort, { once: true });
      const { file, descriptor } = this.#request;
      const packed: Packed = { json: pack(request, descriptor), file };
      this.#child.stdin.write(`${JSON.stringify(packed)}\n`);
    });
  }

  #answered(line: string): void {
    let said: Said;
    try {
      const { file, json } = JSON.parse(line) as Packed;
      if (file !== this.#answer.file) throw new Error('an answer from another place');
      const value = unpack(json, this.#answer.descriptor) as { error?: string };
      said = value.error === undefined ? { value } : { failed: `PyTorch says: ${value.error}` };
    } catch (error) {
      said = { failed: `The process of PyTorch gave no answer: ${(error as Error).message}` };
    }
    this.#settle?.(said);
  }

  kill(): void {
    if (this.#child.pid === undefined) return;
    try {
      process.kill(-this.#child.pid, 'SIGKILL');
    } catch {
      // The group is gone already.
    }
  }

  /** Ends the process and removes what it left. */
  end(): Promise<void> {
    this.#ended ??= this.#end();
    return this.#ended;
  }

  async #end(): Promise<void> {
    this.kill();
    await this.#exited;
    for (const { descriptor } of [this.#request, this.#answer]) closeSync(descriptor);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
