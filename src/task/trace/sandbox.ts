/**
 * Runs the tracer (CPython in WebAssembly, child.mjs) on one task file, in a child process with limits.
 *
 * One child serves one file: a file could change the interpreter it runs in, and must not change another task's graph. Starting CPython takes
 * seconds, so the first child ever leaves a memory snapshot, taken before any task ran, in the cache directory; later ones start from it in half a second.
 * The build of the package leaves one beside its programs, for the Node that it was built with.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { TaskError } from './task-error.ts';

/** What a task file may use. */
export interface SandboxLimits {
  /** Wall clock of one trace, in milliseconds. */
  timeoutMs: number;
  /** Python's memory, in bytes; beyond it Python raises MemoryError. */
  memoryBytes: number;
  /** Resident memory of the whole process, in bytes; beyond it the process is killed. */
  residentBytes: number;
  /** Size of the traced graph as text, in characters. */
  outputChars: number;
}

/** Answers one question (JSON text) of a submission with JSON text. What it throws ends the submission. */
export type Answerer = (question: string) => Promise<string>;

/** No question is longer, in bytes, and no submission asks more of them. */
const MAX_QUESTION_BYTES = 16 << 20;
const MAX_QUESTIONS = 5000;

export const DEFAULT_LIMITS: SandboxLimits = {
  timeoutMs: 20_000,
  memoryBytes: 1 << 30,
  residentBytes: 1.75 * 2 ** 30,
  outputChars: 64 << 20,
};

/** CPython must start within this time, whatever the file. */
const START_TIMEOUT_MS = 300_000;
/** Processor time of one child over all its traces, in seconds. */
const CPU_SECONDS = 300;
/** Snapshots (30 MB each) of other versions are deleted when they are older than this and a new one is made. */
const KEEP_SNAPSHOT_MS = 7 * 24 * 3600 * 1000;
const WATCH_INTERVAL_MS = 50;

const here = dirname(fileURLToPath(import.meta.url));
const pythonDirectory = realpathSync(join(here, 'python'));
const childScript = realpathSync(join(here, 'child.mjs'));
/** Where the build leaves its snapshot (scripts/build.mjs); absent in the source tree. */
const builtDirectory = join(here, '../../programs');
const pyodideDirectory = realpathSync(dirname(createRequire(import.meta.url).resolve('pyodide/package.json')));

/** Changes with anything that could change a trace: the tracer's own text and pyodide's version. */
export const tracerVersion: string = (() => {
  const hash = createHash('sha256').update(readFileSync(join(pyodideDirectory, 'package.json')));
  const files = readdirSync(pythonDirectory, { recursive: true, encoding: 'utf8' }).filter((f) => f.endsWith('.py'));
  for (const file of files.sort()) hash.update(file).update(readFileSync(join(pythonDirectory, file)));
  return hash.update(readFileSync(childScript)).digest('hex').slice(0, 32);
})();

type FromChild =
  | { kind: 'ready' }
  | { kind: 'snapshot'; bytes: Uint8Array }
  | { kind: 'traced'; result: string }
  | { kind: 'failed'; reason: string };

const permissionFlag = process.allowedNodeEnvironmentFlags.has('--permission')
  ? '--permission'
  : '--experimental-permission';

/** Resident bytes of a process, or undefined where the system does not say (then Python's own limit alone holds). */
function residentBytes(pid: number): number | undefined {
  try {
    const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]);
    return pages * 4096;
  } catch {
    return undefined;
  }
}

/** A child process with CPython and the tracer in it, for one task file. */
export class Sandbox {
  readonly #child: ChildProcess;
  readonly #limits: SandboxLimits;
  #waiting: { resolve: (m: FromChild) => void; reject: (e: Error) => void } | undefined;
  #early: FromChild | undefined;
  #dead: Error | undefined;
  /** Milliseconds that answering has taken: no time of the file's. */
  #answering = 0;
  #askedAt: number | undefined;

  private constructor(snapshot: string, limits: SandboxLimits) {
    this.#limits = limits;
    const readable = [`${pyodideDirectory}/`, childScript, `${pythonDirectory}/`, ...(snapshot ? [snapshot] : [])];
    const command = [
      process.execPath,
      permissionFlag,
      ...readable.map((p) => `--allow-fs-read=${p}`),
      '--disallow-code-generation-from-strings',
      '--max-old-space-size=512',
      '--no-warnings',
      childScript,
      ...[pyodideDirectory, pythonDirectory, snapshot, String(limits.memoryBytes), String(limits.outputChars)],
    ];
    // The shell sets a limit on processor time, so that a child whose parent was killed ends too, even in an endless loop.
    this.#child = spawn('/bin/sh', ['-c', `ulimit -t ${CPU_SECONDS}; exec "$@"`, 'sh', ...command], {
      env: {},
      cwd: '/',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc', 'pipe'],
      serialization: 'advanced',
    });
    this.#child.on('message', (m) => {
      const waiting = this.#waiting;
      this.#waiting = undefined;
      if (waiting) waiting.resolve(m as FromChild);
      else this.#early = m as FromChild;
    });
    const gone = (error: Error) => {
      this.#dead ??= error;
      this.#waiting?.reject(this.#dead);
      this.#waiting = undefined;
    };
    this.#child.on('error', gone);
    this.#child.on('exit', (code, signal) =>
      gone(
        new TaskError(
          'memory',
          `the sandbox ended by itself (${signal ?? `exit code ${code}`}); it probably ran out of memory`,
        ),
      ),
    );
  }

  /** A sandbox ready to trace. The first in a cache directory also leaves the snapshot there, which takes some seconds. */
  static async open(cacheDir: string, limits: SandboxLimits = DEFAULT_LIMITS): Promise<Sandbox> {
    return Sandbox.#started(realpathSync(await ensureSnapshot(cacheDir)), limits);
  }

  /** The memory of a fresh interpreter that has imported the tracer and run no task. */
  static async snapshot(): Promise<Uint8Array> {
    const maker = await Sandbox.#started('', DEFAULT_LIMITS);
    try {
      maker.#child.send({ kind: 'snapshot' });
      return (await maker.#expect('snapshot', START_TIMEOUT_MS)).bytes;
    } finally {
      maker.close();
    }
  }

  static async #started(snapshot: string, limits: SandboxLimits): Promise<Sandbox> {
    const sandbox = new Sandbox(snapshot, limits);
    try {
      await sandbox.#expect('ready', START_TIMEOUT_MS);
      return sandbox;
    } catch (error) {
      sandbox.close();
      throw error;
    }
  }

  /** Run the tracer on a request (JSON text) and return its answer (JSON text). Throws TaskError at a limit; the sandbox is dead then. */
  async trace(request: string): Promise<string> {
    const answer = this.#expect('traced', this.#limits.timeoutMs);
    if (!this.#dead) this.#child.send({ kind: 'trace', request });
    return (await answer).result;
  }

  /**
   * Run a submission (JSON text) and return what the tracer says of it (JSON text), answering its questions meanwhile. Throws TaskError at a
   * limit, or what the answerer threw; the sandbox is dead then.
   */
  async submit(request: string, answer: Answerer): Promise<string> {
    const pipe = this.#child.stdio[4] as Duplex;
    let failed: Error | undefined;
    const fail = (error: unknown) => {
      failed ??= error instanceof Error ? error : new Error(String(error));
      this.#dead ??= failed;
      this.#waiting?.reject(failed);
      this.#waiting = undefined;
    };
    pipe.on('error', () => {}); // the child is gone: its exit says so
    answerQuestions(pipe, async (question) => {
      this.#askedAt = Date.now();
      try {
        return await answer(question);
      } finally {
        this.#answering += Date.now() - this.#askedAt;
        this.#askedAt = undefined;
      }
    }).catch(fail);
    const traced = this.#expect('traced', this.#limits.timeoutMs);
    if (!this.#dead) this.#child.send({ kind: 'submit', request });
    return (await traced).result;
  }

  /** End the child at once. */
  close(): void {
    this.#dead ??= new Error('the sandbox is closed');
    this.#child.kill('SIGKILL');
  }

  /** The next message, which must be of this kind, within a time and the memory limit; otherwise the child is killed. */
  async #expect<K extends FromChild['kind']>(kind: K, timeoutMs: number): Promise<Extract<FromChild, { kind: K }>> {
    let timer: NodeJS.Timeout | undefined;
    const deadline = Date.now() + timeoutMs;
    try {
      const message = await new Promise<FromChild>((resolve, reject) => {
        if (this.#dead) return reject(this.#dead);
        if (this.#early) {
          const early = this.#early;
          this.#early = undefined;
          return resolve(early);
        }
        this.#waiting = { resolve, reject };
        timer = setInterval(() => {
          if (Date.now() > deadline + this.#answering && this.#askedAt === undefined)
            reject(
              new TaskError(
                'timeout',
                kind === 'traced'
                  ? `the file ran for more than ${timeoutMs / 1000} s and was stopped`
                  : `Python did not start within ${timeoutMs / 1000} s; this machine may be very busy, so try again`,
              ),
            );
          const resident = this.#child.pid === undefined ? undefined : residentBytes(this.#child.pid);
          if (resident !== undefined && resident > this.#limits.residentBytes)
            reject(new TaskError('memory', 'the file used more memory than a task may use and was stopped'));
        }, WATCH_INTERVAL_MS);
      });
      if (message.kind === kind) return message as Extract<FromChild, { kind: K }>;
      if (message.kind === 'failed' && message.reason === 'output')
        throw new TaskError('memory', `the traced graph is larger than ${this.#limits.outputChars} characters`);
      throw new TaskError(
        'invalid',
        `the sandbox failed: ${message.kind === 'failed' ? message.reason : message.kind}`,
      );
    } catch (error) {
      this.close();
      throw error;
    } finally {
      clearInterval(timer);
    }
  }
}

/** Reads questions off the pipe and writes the answers, one after the other, until the pipe ends. Rejects at a limit or when answering throws. */
async function answerQuestions(pipe: Duplex, answer: Answerer): Promise<void> {
  let held = Buffer.alloc(0);
  let asked = 0;
  for await (const chunk of pipe) {
    held = Buffer.concat([held, chunk as Buffer]);
    while (held.length >= 4) {
      const size = held.readUInt32LE();
      if (size > MAX_QUESTION_BYTES || ++asked > MAX_QUESTIONS)
        throw new TaskError('memory', 'the submission asks more of its extensions than can be answered');
      if (held.length < 4 + size) {
        asked--;
        break;
      }
      const text = Buffer.from(await answer(held.toString('utf8', 4, 4 + size)), 'utf8');
      held = held.subarray(4 + size);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(text.length);
      pipe.write(Buffer.concat([length, text]));
    }
  }
}

/** The snapshot that the build left, or that in a cache directory, made if it is not there. Returns its path. */
export async function ensureSnapshot(cacheDir: string): Promise<string> {
  const name = `python-${tracerVersion}-${process.version}.snapshot`;
  const built = join(builtDirectory, name);
  if (existsSync(built)) return built;
  const file = join(cacheDir, name);
  if (existsSync(file)) return file;
  const bytes = await Sandbox.snapshot();
  mkdirSync(cacheDir, { recursive: true });
  const partial = `${file}.${randomBytes(6).toString('hex')}`;
  writeFileSync(partial, bytes);
  renameSync(partial, file); // whole or not at all, also when two processes make it at once
  for (const old of readdirSync(cacheDir).filter((f) => /^python-.*\.snapshot$/.test(f))) {
    const path = join(cacheDir, old);
    if (Date.now() - statSync(path).mtimeMs > KEEP_SNAPSHOT_MS) rmSync(path, { force: true });
  }
  return file;
}
