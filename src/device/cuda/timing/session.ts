/** The child's side of taking times: what is prepared once a process, and its windows. */
import type { DeviceCondition } from '../../measure.ts';
import { CudaError } from '../driver/errors.ts';
import type { Nvml } from '../driver/nvml.ts';
import type { CudaGpu } from '../gpu.ts';
import { OwnKernels } from '../kernels/own-kernels.ts';
import { CublasWork } from './cublas-work.ts';
import {
  Instance,
  type RawWindow,
  type SharedMemory,
  slotBytes,
  type TimedPlan,
  type WindowSecrets,
} from './instance.ts';
import type { CallOperands } from './operands.ts';
import { notTimeable } from './stream-steps.ts';

export interface PrepareRequest {
  readonly timed: TimedPlan;
  /** Base operands, in full. */
  readonly bases: readonly (readonly Uint8Array[])[];
  /** Calls of a window, at most, where memory allows. */
  readonly mostCalls: number;
  /** For a first look at whether the same call gives the same bits twice. */
  readonly probe: { readonly operands: CallOperands; readonly secrets: WindowSecrets };
}

/** `unsupported`: this candidate cannot be timed; why. */
export type Prepared =
  | {
      readonly status: 'ready';
      readonly mostCalls: number;
      readonly resolution: Resolution;
      readonly repeatable: boolean;
      /** Versions of what it runs on besides the driver, for the evidence. */
      readonly environment?: Readonly<Record<string, string>>;
    }
  | { readonly status: 'unsupported'; readonly message: string };

/** Least differences that the clocks showed, microseconds. */
export interface Resolution {
  readonly device: number;
  readonly host: number;
}

export interface TimedRequest {
  readonly instance: 0 | 1;
  readonly work: 'calls' | 'null';
  readonly operands: readonly CallOperands[];
  readonly secrets: WindowSecrets;
  /** Calls whose outputs are to be brought back. */
  readonly keep: readonly number[];
  /** Processes of the measurement that have a context on the GPU. */
  readonly ownProcesses: number;
}

export type TimedAnswer = RawWindow & { readonly conditions: readonly DeviceCondition[] };

/** Part of the free memory that slots may take; the rest is for what the driver and other processes of the measurement need. */
const MEMORY_SHARE = 0.4;
const INSTANCES = 2;
/** The walk that empties the L2 is longer than it by this. */
const WALK = 2.5;
const PROBES = 64;

export class TimingSession {
  readonly #gpu: CudaGpu;
  readonly #nvml: Nvml | undefined;
  #instances: Instance[] = [];

  constructor(gpu: CudaGpu, nvml: Nvml | undefined) {
    this.#gpu = gpu;
    this.#nvml = nvml;
  }

  /** @throws CudaError */
  prepare({ timed, bases, mostCalls, probe }: PrepareRequest): Prepared {
    const gpu = this.#gpu;
    const refused = notTimeable(timed.plan);
    if (refused !== undefined) return { status: 'unsupported', message: refused };
    const own = new OwnKernels(gpu);
    const walkBytes = Math.ceil((gpu.identity.l2Bytes * WALK) / 4) * 4;
    const walk = { address: gpu.allocate(walkBytes), bytes: walkBytes };
    gpu.fill(walk.address, 0x5bd1e995, walkBytes);
    const cublas = timed.contraction && new CublasWork(gpu, timed.contraction);
    const shared: SharedMemory = {
      walk,
      cublas,
      bases: bases.map((set) =>
        set.map((bytes) => {
          const address = gpu.allocate(bytes.length);
          gpu.upload(address, bytes);
          return address;
        }),
      ),
    };
    const room = Math.floor((gpu.freeBytes() * MEMORY_SHARE) / (INSTANCES * slotBytes(timed.plan)));
    const most = Math.min(mostCalls, room);
    if (most < 1) throw new CudaError('cuMemAlloc_v2', 2);
    for (let i = 0; i < INSTANCES; i++) this.#instances.push(new Instance(gpu, own, timed, shared, most));
    const repeatable = this.#instances[0]!.repeatable(probe.operands, probe.secrets);
    const environment = cublas && { cublas: cublas.version };
    return { status: 'ready', mostCalls: most, resolution: this.#resolution(own), repeatable, environment };
  }

  /** The least steps of the two clocks, as they show themselves. */
  #resolution(own: OwnKernels): Resolution {
    const gpu = this.#gpu;
    const [start, end] = [gpu.createEvent(), gpu.createEvent()];
    const device: number[] = [];
    for (let probe = 0; probe < PROBES; probe++) {
      gpu.recordEvent(start);
      for (let i = 0; i < probe % 4; i++) own.nothing();
      gpu.recordEvent(end);
      gpu.synchronise();
      device.push(gpu.microsecondsBetween(start, end));
    }
    gpu.destroyEvent(start);
    gpu.destroyEvent(end);
    const host = Array.from({ length: PROBES }, () => Number(gpu.driver.hostNanoseconds()) / 1000);
    return { device: leastStep(device), host: leastStep(host) };
  }

  window({ instance, work, operands, secrets, keep, ownProcesses }: TimedRequest): TimedAnswer {
    const conditions: DeviceCondition[] = [];
    const read = () => {
      if (this.#nvml) conditions.push(this.#nvml.condition(ownProcesses));
    };
    const raw = this.#instances[instance]!.window(work, operands, secrets, keep, read);
    return { ...raw, conditions };
  }
}

/** The least difference between different values; a nanosecond where all are equal. */
function leastStep(values: readonly number[]): number {
  const sorted = [...new Set(values)].sort((a, b) => a - b);
  const steps = sorted.slice(1).map((value, i) => value - sorted[i]!);
  // Values are single-precision milliseconds: steps below a nanosecond are their rounding.
  const real = steps.filter((step) => step >= 1e-3);
  return real.length > 0 ? Math.round(Math.min(...real) * 1000) / 1000 : 1e-3;
}
