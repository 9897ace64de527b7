/**
 * Where candidates of one task are judged: a pool of devices, one oracle, and seeds that are drawn once for all
 * candidates that were frozen together (a generation), so that references are computed once for them.
 */
import { createHash } from 'node:crypto';
import { createVirtualDevice, type Device, type RunLimits } from '../../device/index.ts';
import type { EventStream } from '../../events/index.ts';
import {
  type AloneTime,
  type Commitment,
  commit,
  createOracle,
  deriveSeed,
  type Evidence,
  evidenceOf,
  fullSizeTime,
  type Hardware,
  judgePrepared,
  limitsFor,
  measureAlone,
  type Oracle,
  sourceHash,
  type Verdict,
} from '../../judge/index.ts';
import { CandidateError, factsOf, type PreparedCandidate, prepareCandidate } from '../../kernel/index.ts';
import { type Floor, type FullTask, floor, type Task } from '../../task/index.ts';
import { type GpuTarget, gpuTarget, type ModelledTime } from '../../vgpu/index.ts';

export interface JudgementBenchOptions {
  task: Task;
  /** The task at its file's own shapes, where it was scaled: what is judged alone, on fresh seeds, is looked at there too. */
  full?: FullTask;
  /** Target GPU's id. */
  gpu: string;
  /** Cache of compiled device code. */
  cacheDir: string;
  /** A GPU that right candidates are timed on: their measured times are what the search goes by. */
  hardware?: Hardware;
  /** Devices, and so judgements at the same time. */
  devices: number;
  events?: EventStream;
}

/** A verdict with its evidence. */
export interface Judgement {
  verdict: Pick<Verdict, 'outcome' | 'check' | 'reason' | 'modelled' | 'fullSizeTime' | 'timing'>;
  /** Its time on the GPU; absent where none was asked for, or it could not be had. */
  alone?: AloneTime;
  evidence?: Evidence;
  /** See {@link codeHash}; absent where the candidate could not be prepared. */
  codeHash?: string;
  milliseconds: number;
}

/** What a candidate's profile says of its time, and what asking took. */
export interface Ranked {
  modelled: ModelledTime;
  /** See {@link codeHash}; absent where it was ranked at other shapes than it is judged at. */
  codeHash?: string;
  milliseconds: number;
}

export class JudgementBench {
  readonly target: GpuTarget;
  /** At the shapes that candidates are ranked at: the file's own, but the judged ones where they are timed on a GPU. */
  readonly floor: Floor;
  /** At the shapes that candidates are judged at. */
  readonly #judgedFloor: Floor;
  readonly #options: JudgementBenchOptions;
  #oracle: Oracle | undefined;
  readonly #limits: RunLimits;
  readonly #idle: Device[];
  readonly #all: readonly Device[];
  readonly #waiting: ((device: Device) => void)[] = [];
  /** Sources frozen and not yet judged. */
  readonly #frozen = new Set<string>();
  #gpuIdle: Promise<unknown> = Promise.resolve();
  #commitment: Commitment | undefined;
  /** Candidates that are prepared and not yet judged, by the hash of their source. */
  readonly #prepared = new Map<string, Promise<PreparedCandidate>>();

  constructor(options: JudgementBenchOptions) {
    this.#options = options;
    this.target = gpuTarget(options.gpu);
    this.#judgedFloor = floor(options.task, this.target);
    this.floor = options.full && !options.hardware ? floor(options.full.task, this.target) : this.#judgedFloor;
    this.#limits = limitsFor(options.task);
    this.#all = Array.from({ length: options.devices }, () => createVirtualDevice({ gpu: options.gpu }));
    for (const device of this.#all) device.start?.();
    this.#idle = [...this.#all];
  }

  /** Notes a source as frozen: it will be judged as it is, on seeds that are drawn later. */
  freeze(source: string): void {
    this.#frozen.add(sourceHash(source));
  }

  /** Nothing more will be asked about this source. */
  forget(source: string): void {
    const hash = sourceHash(source);
    this.#frozen.delete(hash);
    this.#prepared.delete(hash);
  }

  /** Interprets and compiles, once for a source until it is judged: a search asks for its fingerprint first. Throws CandidateError for what is the candidate's. */
  prepare(source: string, signal?: AbortSignal): Promise<PreparedCandidate> {
    const hash = sourceHash(source);
    const known = this.#prepared.get(hash);
    if (known) return known;
    const { task, cacheDir } = this.#options;
    const preparing = prepareCandidate(source, task.signature, { ...this.#building(), cacheDir, signal });
    this.#prepared.set(hash, preparing);
    // What is right is begun while the compiler works. Where it cannot be said, the first judgement says why.
    setImmediate(() => {
      try {
        this.#answer();
      } catch {}
    });
    // What was cut off, or refused, is not kept.
    preparing.catch(() => this.#prepared.delete(hash));
    return preparing;
  }

  /** Models a candidate's time from a few of its blocks, and asks nothing else. Undefined where that cannot be done: a judgement will say why. */
  async rank(source: string, signal?: AbortSignal): Promise<Ranked | undefined> {
    const started = performance.now();
    const { task, gpu, full, cacheDir } = this.#options;
    // At the file's own shapes a plan may take what the GPU has: nothing of it is run whole.
    const limits = { workspaceBytes: this.target.memoryBytes };
    // Compiled before a device is taken: compiling needs none. For the shapes that are ranked at, and no others: most candidates go no further.
    const preparing = full
      ? prepareCandidate(source, full.task.signature, { ...this.#building(), cacheDir, signal, limits })
      : this.prepare(source, signal);
    const prepared = await preparing.catch((error: unknown) => {
      if (error instanceof CandidateError) return undefined;
      throw error;
    });
    if (prepared === undefined) return undefined;
    const device = await this.#take();
    try {
      const at = full?.task ?? task;
      const { modelled } = await fullSizeTime({ task: at, prepare: async () => prepared, device, gpu, signal });
      if (!modelled) return undefined;
      // The hash is over what is judged: at other shapes other code may be equal.
      const code = full ? {} : { codeHash: codeHash(prepared) };
      return { modelled, ...code, milliseconds: performance.now() - started };
    } finally {
      this.#give(device);
    }
  }

  /** Judges a candidate under `name` (for events); `fresh` draws seeds for it alone. */
  async judge(source: string, name: string, fresh: boolean, signal?: AbortSignal): Promise<Judgement> {
    const started = performance.now();
    const milliseconds = () => performance.now() - started;
    const { task, gpu, events, full, cacheDir } = this.#options;
    const limits = this.#limits;
    events?.emit({ type: 'candidate.building', candidate: name });
    let prepared: PreparedCandidate;
    try {
      prepared = await this.prepare(source, signal);
    } catch (error) {
      if (!(error instanceof CandidateError)) throw error;
      const { message: reason } = error;
      events?.emit({ type: 'candidate.rejected', candidate: name, check: 'prepare', reason });
      return { verdict: { outcome: 'unjudgeable', check: 'prepare', reason }, milliseconds: milliseconds() };
    }
    const hash = sourceHash(source);
    const commitment = fresh ? commit([hash]) : this.#seedsFor(hash);
    const device = await this.#take();
    try {
      const oracle = this.#answer();
      const request = { task, device, gpu, limits, events, candidate: name, signal, commitment, oracle };
      // A search judges on the virtual GPU and takes a short time on the real one; what is confirmed is judged and timed there in full.
      const { hardware } = this.#options;
      const more = { timeAt: full?.task, cacheDir };
      const judged = await judgePrepared(
        fresh ? { ...request, ...more, full, hardware } : { ...request, ...more },
        prepared,
      );
      const { verdict, alone } = await this.#timed(judged, prepared, commitment, signal);
      const untimed = verdict.fullSizeTime?.notModelled;
      if (untimed !== undefined)
        events?.emit({
          type: 'note',
          level: 'warning',
          message: `${name} has no time at the file's own shapes: ${untimed}`,
        });
      this.forget(source);
      const evidence = evidenceOf({
        ...{ verdict, task, candidateSource: source, device, gpu, limits },
        ...{ floor: this.#judgedFloor, arithmetics: oracle.arithmetics },
      });
      return { verdict, alone, evidence, codeHash: codeHash(prepared), milliseconds: milliseconds() };
    } finally {
      this.#give(device);
    }
  }

  /** With its time on the GPU, where there is one and it is right; rejected where a timed call of it is wrong. */
  async #timed(
    verdict: Verdict,
    candidate: PreparedCandidate,
    commitment: Commitment,
    signal?: AbortSignal,
  ): Promise<{ verdict: Verdict; alone?: AloneTime }> {
    const { hardware, task } = this.#options;
    if (hardware === undefined || verdict.outcome !== 'correct') return { verdict };
    const secret = deriveSeed(commitment, `timed alone ${candidate.sourceHash}`);
    const { gpu } = hardware;
    const measured = await this.#onGpu(() =>
      measureAlone({ gpu, task, oracle: this.#answer(), candidate, secret, signal }),
    );
    if ('time' in measured) return { verdict, alone: measured.time };
    if ('untimed' in measured) {
      this.#options.events?.emit({ type: 'note', level: 'warning', message: `No time: ${measured.untimed}` });
      return { verdict };
    }
    return { verdict: { ...verdict, outcome: 'rejected', check: 'timed-outputs', reason: measured.wrong } };
  }

  /** One thing at a time on the GPU: what else runs there would be in the times. */
  #onGpu<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#gpuIdle.then(work);
    this.#gpuIdle = result.catch(() => undefined);
    return result;
  }

  async close(): Promise<void> {
    await Promise.all(this.#all.map((device) => device.close()));
  }

  /** The seeds under way if they were drawn after this source was frozen; else new ones, for all that are frozen now. */
  #seedsFor(hash: string): Commitment {
    if (!this.#commitment?.sourceHashes.includes(hash)) {
      this.#frozen.add(hash);
      this.#commitment = commit([...this.#frozen]);
    }
    return this.#commitment;
  }

  /** What is right for the task: costly to begin, so only once somebody is to be judged. */
  #answer(): Oracle {
    const { task, cacheDir } = this.#options;
    this.#oracle ??= createOracle(task, cacheDir);
    return this.#oracle;
  }

  #building() {
    return { arch: this.target.arch, facts: factsOf(this.target) };
  }

  #take(): Promise<Device> {
    const device = this.#idle.pop();
    if (device) return Promise.resolve(device);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #give(device: Device): void {
    const next = this.#waiting.shift();
    if (next) next(device);
    else this.#idle.push(device);
  }
}

/**
 * Hash of what the device would do: all modules' PTX without line numbers and comments, and the plan without source lines. Names of kernels and of their
 * variables are numbered in the order in which they come up, so that a kernel that was only renamed is known again. Equal hashes are the same
 * kernel written twice.
 */
export function codeHash({ build, plan }: PreparedCandidate): string {
  const modules = [build, ...(build.others ?? [])].map(({ ptx }) =>
    ptx.replace(/^\s*\.(loc|file)\b.*$/gm, '').replace(/\/\/.*$/gm, ''),
  );
  const names = new Map<string, string>();
  const entries = new Set(modules.flatMap((ptx) => [...ptx.matchAll(/\.entry\s+([\w$]+)/g)].map((match) => match[1]!)));
  const numbered = (text: string) =>
    text.replace(/[A-Za-z_$][\w$]*/g, (token) => {
      const [, base, parameter = ''] = /^(.*?)(_param_\d+)?$/.exec(token)!;
      if (!entries.has(base!) && !base!.startsWith('_Z')) return token;
      if (!names.has(base!)) names.set(base!, `name ${names.size}`);
      return names.get(base!)! + parameter;
    });
  const code = modules.map(numbered);
  const steps = plan.steps.map((step) =>
    step.kind === 'launch' ? { ...step, line: 0, kernel: '', entry: numbered(step.entry) } : { ...step, line: 0 },
  );
  const buffers = plan.buffers.map(({ bytes, kind, argument, symbol }) => {
    return [bytes, kind, argument, symbol === undefined ? undefined : numbered(symbol)];
  });
  return createHash('sha256')
    .update(JSON.stringify([code, buffers, steps, plan.outputs]))
    .digest('hex');
}
