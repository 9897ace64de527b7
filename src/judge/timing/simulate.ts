/**
 * Devices whose clocks are simulated: what the protocol is tested on, with no GPU. The truth (each subject's time) is known, so error rates and power can be counted.
 * Times are products of effects, as on a machine: a kernel's time, where its memory lies in this process, the clock the device runs at, its heat, what else
 * happens. `source` is `simulated`: no claim can be made of it.
 */
import type {
  DeviceCondition,
  TimedSubject,
  TimedWindow,
  TimingDevice,
  TimingFacts,
  TimingProcess,
  WindowRequest,
} from '../../device/index.ts';
import { Random } from '../../task/index.ts';

/** What disturbs a device. Absent effects are not there. Shares and deviations are of the time (0.01: 1 %), times in microseconds. */
export interface NoiseModel {
  /** Standard deviation of the logarithm of each window's time, every window for itself. */
  readonly jitter: number;
  /** The same of each instance's time in each process: where its memory lies, how its pages map to channels and cache slices. */
  readonly placement: number;
  /** All times grow by `share` as the device warms, with a time constant, from the start of each process. */
  readonly ramp?: { readonly share: number; readonly microseconds: number };
  /** The multiprocessors' clock jumps between modes; `bound` is the power by which times follow it (1: bound by computing, 0: not at all). */
  readonly clocks?: {
    readonly modesMHz: readonly number[];
    readonly dwellMicroseconds: number;
    readonly bound: number;
    readonly told: boolean;
  };
  /** Single windows that something interrupts: they take 1 + `size` * Pareto(2) times as long, on the device or only on the host. */
  readonly outliers?: { readonly share: number; readonly size: number };
  /** Spells in which another process slows the device. */
  readonly company?: {
    readonly everyMicroseconds: number;
    readonly lastingMicroseconds: number;
    readonly factor: number;
    readonly told: boolean;
  };
  /** A slow wander of each instance's own speed (Ornstein and Uhlenbeck): neighbouring windows are alike. */
  readonly wander?: { readonly deviation: number; readonly microseconds: number };
}

/** The device apart from its noise. */
export interface SimulatedDevice {
  /** Time of one call at the highest clock, microseconds, by subject. The one named `candidate` is the candidate. */
  readonly callMicroseconds: Readonly<Record<string, number>>;
  /** What a window costs the host in the middle, and the deviation of its logarithm. */
  readonly hostMicroseconds: number;
  readonly hostJitter: number;
  /** What a launch costs on the device; an empty kernel takes this. */
  readonly launchMicroseconds: number;
  /** Step of the device's clock; what the device says of it if that is something else. */
  readonly stepMicroseconds: number;
  readonly statedStepMicroseconds?: number;
  readonly mostCalls: number;
  /** Between windows: drawing operands, checking outputs. */
  readonly idleMicroseconds: number;
}

/** An H200-like device with two kernels of equal time. */
export const quietDevice: SimulatedDevice = {
  callMicroseconds: { candidate: 50, baseline: 50 },
  hostMicroseconds: 9,
  hostJitter: 0.12,
  launchMicroseconds: 1.2,
  stepMicroseconds: 0.5,
  mostCalls: 256,
  idleMicroseconds: 400,
};

/** A window before the clocks are read, for what tampers with it. */
export interface Truth {
  readonly request: WindowRequest;
  /** Windows of this subject before this one in this process. */
  readonly earlier: number;
  readonly process: number;
  readonly window: TimedWindow;
}

/** Changes what a window shows, as a cheat or a broken device would. */
export type Tampering = (truth: Truth) => Partial<TimedWindow>;

/** A device with these kernels and this noise; the same seed gives the same times. */
export function simulate(
  device: SimulatedDevice,
  noise: NoiseModel,
  seed: string,
  tamper?: Tampering,
): TimingDevice<'simulated'> {
  const subjects = Object.keys(device.callMicroseconds).map(
    (id): TimedSubject => ({ id, role: id === 'candidate' ? 'candidate' : 'baseline' }),
  );
  const facts: TimingFacts = {
    device: 'simulated device',
    deviceResolutionMicroseconds: device.statedStepMicroseconds ?? device.stepMicroseconds,
    hostResolutionMicroseconds: 0.05,
    cache: 'cold',
    clocksLocked: false,
    mostCalls: device.mostCalls,
    environment: {},
  };
  return {
    source: 'simulated',
    facts,
    subjects,
    start: async (process) => new SimulatedProcess(device, noise, seed, process, tamper),
  };
}

class SimulatedProcess implements TimingProcess {
  readonly #device: SimulatedDevice;
  readonly #noise: NoiseModel;
  readonly #tamper: Tampering | undefined;
  readonly #process: number;
  readonly #random: Random;
  /** Logarithms, by subject and instance. */
  readonly #placement = new Map<string, number>();
  readonly #wander = new Map<string, { value: number; at: number }>();
  readonly #taken = new Map<string, number>();
  #now = 0;
  #mode = 0;
  #modeEnds = 0;
  #companyStarts: number;

  constructor(device: SimulatedDevice, noise: NoiseModel, seed: string, process: number, tamper?: Tampering) {
    this.#device = device;
    this.#noise = noise;
    this.#tamper = tamper;
    this.#process = process;
    this.#random = new Random(seed, `simulated process ${process}`);
    this.#mode = noise.clocks ? this.#random.integer(0, noise.clocks.modesMHz.length) : 0;
    this.#modeEnds = noise.clocks ? this.#waiting(noise.clocks.dwellMicroseconds) : Infinity;
    this.#companyStarts = noise.company ? this.#waiting(noise.company.everyMicroseconds) : Infinity;
    for (const id of Object.keys(device.callMicroseconds)) {
      for (const instance of [0, 1]) this.#placement.set(`${id} ${instance}`, noise.placement * this.#random.normal());
    }
  }

  async window(request: WindowRequest): Promise<TimedWindow> {
    const { subject, instance, work, calls } = request;
    const device = this.#device;
    const random = this.#random;
    const condition = this.#condition();
    const key = `${subject} ${instance}`;
    let logTime = this.#noise.jitter * random.normal();
    if (work === 'calls') logTime += this.#placement.get(key)! + this.#slow(key);
    const busy = this.#noise.company !== undefined && this.#now >= this.#companyStarts;
    if (busy) logTime += Math.log(this.#noise.company!.factor);
    const { outliers } = this.#noise;
    let hostOnly = 0;
    if (outliers !== undefined && random.unit() < outliers.share) {
      const size = outliers.size / Math.sqrt(1 - random.unit());
      if (random.unit() < 0.5) logTime += Math.log1p(size);
      else hostOnly = size * calls * this.#perCall(request);
    }
    const took = calls * this.#perCall(request) * Math.exp(logTime);
    const step = device.stepMicroseconds;
    // Both readings fall on the clock's steps, whatever the moment.
    const phase = random.unit();
    const read = step > 0 ? step * (Math.floor(took / step + phase) - Math.floor(phase)) : took;
    const host = took + hostOnly + device.hostMicroseconds * Math.exp(device.hostJitter * random.normal());
    const earlier = this.#taken.get(subject) ?? 0;
    this.#taken.set(subject, earlier + 1);
    const window: TimedWindow = {
      status: 'timed',
      deviceMicroseconds: read,
      hostMicroseconds: Math.round(host * 1000) / 1000,
      outputs: 'right',
      operands: work === 'calls' ? `${this.#process}.${earlier}` : '',
      condition,
    };
    this.#now += host + device.idleMicroseconds;
    return this.#tamper ? { ...window, ...this.#tamper({ request, earlier, process: this.#process, window }) } : window;
  }

  async close(): Promise<void> {}

  /** One call without noise: an empty kernel takes a launch. */
  #perCall({ subject, work }: WindowRequest): number {
    const { launchMicroseconds, callMicroseconds } = this.#device;
    return work === 'null' ? launchMicroseconds : callMicroseconds[subject]!;
  }

  /** Moves the world to now, and says what a device would say of itself. */
  #condition(): DeviceCondition {
    const { clocks, company } = this.#noise;
    if (clocks) {
      while (this.#now >= this.#modeEnds) {
        this.#mode = (this.#mode + 1 + this.#random.integer(0, clocks.modesMHz.length - 1)) % clocks.modesMHz.length;
        this.#modeEnds += this.#waiting(clocks.dwellMicroseconds);
      }
    }
    if (company) {
      while (this.#now >= this.#companyStarts + company.lastingMicroseconds) {
        this.#companyStarts += company.lastingMicroseconds + this.#waiting(company.everyMicroseconds);
      }
    }
    return {
      smClockMHz: clocks?.told ? clocks.modesMHz[this.#mode] : undefined,
      otherProcesses: company?.told ? Number(this.#now >= this.#companyStarts) : undefined,
      throttled: [],
    };
  }

  /** Logarithm of everything that changes slowly: heat, clock, an instance's own wander. */
  #slow(key: string): number {
    const { ramp, clocks, wander } = this.#noise;
    let log = 0;
    if (ramp) log += Math.log1p(ramp.share * -Math.expm1(-this.#now / ramp.microseconds));
    if (clocks) log += clocks.bound * Math.log(Math.max(...clocks.modesMHz) / clocks.modesMHz[this.#mode]!);
    if (wander) {
      const last = this.#wander.get(key) ?? { value: wander.deviation * this.#random.normal(), at: this.#now };
      const kept = Math.exp(-(this.#now - last.at) / wander.microseconds);
      const value = kept * last.value + wander.deviation * Math.sqrt(1 - kept * kept) * this.#random.normal();
      this.#wander.set(key, { value, at: this.#now });
      log += value;
    }
    return log;
  }

  /** An exponential waiting time. */
  #waiting(mean: number): number {
    return -mean * Math.log(1 - this.#random.unit());
  }
}
