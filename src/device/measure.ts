/**
 * Taking times: the port between a device with clocks and the protocol that asks for them (`src/judge/timing`).
 *
 * The protocol decides what is timed, in which order, how often, and what the numbers mean; a device only does one *window* at a time
 * and says what it saw. A window is one or more calls of one subject, back to back, each on operands that were never used
 * before, between two readings of two clocks: the device's own (events in the stream) and the host's (monotonic, from before
 * the first call is submitted to after a full synchronise). Nothing else happens inside a window: operands are drawn and outputs poisoned before it,
 * outputs are verified after it. There is no warm-up call and no checking call: every call is a call like this.
 */

/** Where times come from. Simulated ones (a model of noisy clocks, for testing the protocol) are another type and make no claim. */
export type TimeSource = 'measured' | 'simulated';

/** Something whose calls can be timed. */
export interface TimedSubject {
  /** For people too: `candidate`, `torch.compile max-autotune`. */
  readonly id: string;
  readonly role: 'candidate' | 'baseline';
}

/** Ids of the PyTorch baselines, all at the task's own precision policy: a claim that does not beat every one of them says which it left out. */
export const standardBaselines = ['PyTorch eager', 'torch.compile', 'torch.compile max-autotune'] as const;

/** What the device says of itself, read right after a window. What cannot be read is absent, never made up. */
export interface DeviceCondition {
  /** Clock of the multiprocessors, MHz: best the mean over the window (cycles over time), else a reading. */
  readonly smClockMHz?: number;
  readonly memoryClockMHz?: number;
  readonly temperatureC?: number;
  readonly powerWatts?: number;
  /** Processes on the device that are none of the measurement's own. */
  readonly otherProcesses?: number;
  /** Why the driver holds the clock down, as it names it, e.g. `sw-power-cap`; empty when it does not. */
  readonly throttled?: readonly string[];
}

/** What to time. */
export interface WindowRequest {
  /** A {@link TimedSubject}'s id. */
  readonly subject: string;
  /**
   * Which of the subject's two instances: same code, but a module, memory and launch graph (or process) of its own. Comparing them with each other is the
   * A/A test: it shows what the placement in memory alone does.
   */
  readonly instance: 0 | 1;
  /** `null`: the same path (same process, same graph, same clocks) with an empty kernel for each call: what measuring itself costs. */
  readonly work: 'calls' | 'null';
  /** Calls in the window, at most {@link TimingFacts.mostCalls}. */
  readonly calls: number;
}

/** What one window showed. */
export interface TimedWindow {
  readonly status: 'timed';
  /** Device clock over the whole window, microseconds, for all calls together. */
  readonly deviceMicroseconds: number;
  /** Host clock over the whole window, microseconds, synchronise included. */
  readonly hostMicroseconds: number;
  /** Whether every output of every call in this very window was compared with what is right. `null` windows: `right` if nothing was written. */
  readonly outputs: 'right' | 'wrong' | 'unchecked';
  /** Which operands the window's calls were given: a seed or hash that never comes again for this subject. Empty for `null` windows. */
  readonly operands: string;
  readonly condition: DeviceCondition;
}

/** A window that gave no time. A device does not throw for what a candidate does. */
export interface FailedWindow {
  readonly status: 'failed';
  /** What happened and to whom, in a sentence: a fault, a hang, out of memory, a child that died. */
  readonly message: string;
}

export type WindowResult = TimedWindow | FailedWindow;

/** What holds for all windows of a device. */
export interface TimingFacts {
  /** The device's own name, e.g. `NVIDIA H200`. */
  readonly device: string;
  /** Least difference that the device's clock can show, microseconds (CUDA events: about 0.5). */
  readonly deviceResolutionMicroseconds: number;
  /** The same of the host's clock. */
  readonly hostResolutionMicroseconds: number;
  /** Whether operands can lie in the device's caches when a call begins. `cold`: none can (other memory each call, over twice the last-level cache). */
  readonly cache: 'cold' | 'warm';
  /** Whether the clocks were locked for the measurement. */
  readonly clocksLocked: boolean;
  /** Most calls in one window (their operands must all fit in memory). */
  readonly mostCalls: number;
  /** Versions and identities for the evidence: driver, CUDA, PyTorch, GPU's id. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Fresh processes for all subjects, the baselines' apart from the candidate's. */
export interface TimingProcess {
  window(request: WindowRequest, signal?: AbortSignal): Promise<WindowResult>;
  /** Ends the processes; nothing of them is left for the next ones. */
  close(): Promise<void>;
}

/** A device that can take times of a fixed set of subjects. */
export interface TimingDevice<Source extends TimeSource = 'measured'> {
  readonly source: Source;
  readonly facts: TimingFacts;
  readonly subjects: readonly TimedSubject[];
  /** Starts fresh processes. Their number, from 0, is for names in logs alone. */
  start(process: number, signal?: AbortSignal): Promise<TimingProcess | FailedWindow>;
}
