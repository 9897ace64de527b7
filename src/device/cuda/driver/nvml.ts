/**
 * What the GPU says of itself through NVML (libnvidia-ml.so.1): clocks, temperature, power, why it is slow, who else uses it.
 * All of it is optional: where the library or one of its answers is missing, the reading lacks it.
 */
import type { DeviceCondition } from '../../measure.ts';
import { nvmlFunctions } from './functions.ts';
import { NativeLibrary } from './library.ts';

export const NVML_LIBRARY = 'libnvidia-ml.so.1';

const CLOCK_SM = 1;
const CLOCK_MEMORY = 2;
const TEMPERATURE_GPU = 0;
/** nvmlProcessInfo_v2_t: pid (4 bytes, 4 of padding), memory (8), GPU instance (4), compute instance (4). */
const PROCESS_INFO_BYTES = 24;
const MOST_PROCESSES = 256;

/**
 * nvmlClocksThrottleReasons* of nvml.h that mean a slower clock than asked for. Not among them: 0x1, an idle GPU, and 0x2 and 0x100, clocks
 * that somebody set.
 */
const REASONS: readonly (readonly [bit: bigint, name: string])[] = [
  [0x4n, 'sw-power-cap'],
  [0x8n, 'hw-slowdown'],
  [0x10n, 'sync-boost'],
  [0x20n, 'sw-thermal-slowdown'],
  [0x40n, 'hw-thermal-slowdown'],
  [0x80n, 'hw-power-brake'],
];

export class Nvml {
  readonly #library: NativeLibrary<typeof nvmlFunctions>;
  readonly #device: bigint;

  private constructor(library: NativeLibrary<typeof nvmlFunctions>, device: bigint) {
    this.#library = library;
    this.#device = device;
  }

  /** NVML for the GPU of this UUID (`GPU-...`); undefined where it cannot be had. */
  static open(uuid: string, file: string = NVML_LIBRARY): Nvml | undefined {
    let library: NativeLibrary<typeof nvmlFunctions>;
    try {
      library = new NativeLibrary(file, nvmlFunctions);
    } catch {
      return undefined;
    }
    if (library.call('nvmlInit_v2') !== 0) return undefined;
    const device = new BigUint64Array(1);
    if (library.call('nvmlDeviceGetHandleByUUID', uuid, device) !== 0) {
      library.call('nvmlShutdown');
      return undefined;
    }
    return new Nvml(library, device[0]!);
  }

  close(): void {
    this.#library.call('nvmlShutdown');
  }

  driverVersion(): string | undefined {
    const text = Buffer.alloc(81);
    if (this.#library.call('nvmlSystemGetDriverVersion', text, text.length) !== 0) return undefined;
    return text.subarray(0, text.indexOf(0)).toString('latin1');
  }

  /** Readings now. `own`: how many processes of the measurement have a context on the GPU; process ids do not help, as containers hide them. */
  condition(own: number): DeviceCondition {
    const processes = this.#processes();
    return {
      smClockMHz: this.#number('nvmlDeviceGetClockInfo', CLOCK_SM),
      memoryClockMHz: this.#number('nvmlDeviceGetClockInfo', CLOCK_MEMORY),
      temperatureC: this.#number('nvmlDeviceGetTemperature', TEMPERATURE_GPU),
      powerWatts: this.#power(),
      otherProcesses: processes === undefined ? undefined : Math.max(0, processes - own),
      throttled: this.#throttled(),
    };
  }

  #number(name: 'nvmlDeviceGetClockInfo' | 'nvmlDeviceGetTemperature', of: number): number | undefined {
    const out = new Uint32Array(1);
    return this.#library.call(name, this.#device, of, out) === 0 ? out[0]! : undefined;
  }

  #power(): number | undefined {
    const milliwatts = new Uint32Array(1);
    return this.#library.call('nvmlDeviceGetPowerUsage', this.#device, milliwatts) === 0
      ? milliwatts[0]! / 1000
      : undefined;
  }

  #throttled(): string[] | undefined {
    const reasons = new BigUint64Array(1);
    if (this.#library.call('nvmlDeviceGetCurrentClocksThrottleReasons', this.#device, reasons) !== 0) return undefined;
    return REASONS.filter(([bit]) => (reasons[0]! & bit) !== 0n).map(([, name]) => name);
  }

  #processes(): number | undefined {
    const count = Uint32Array.of(MOST_PROCESSES);
    const list = new Uint8Array(MOST_PROCESSES * PROCESS_INFO_BYTES);
    return this.#library.call('nvmlDeviceGetComputeRunningProcesses_v3', this.#device, count, list) === 0
      ? count[0]!
      : undefined;
  }
}
