/**
 * The device behind the fake library (fake_cuda.c): its memory, modules and launches are those of the virtual GPU. Only faults that a real GPU
 * reports end a launch; it says nothing of uninitialised reads or races, as a real one does not.
 */
import { writeSync } from 'node:fs';
import koffi from 'koffi';
import { type FindingKind, type LaunchReport, type LoadedModule, PtxError, VirtualGpu } from '../../../vgpu/index.ts';
import type { Driver } from '../driver/driver.ts';
import { bytesAt, textAt, writeAt } from '../driver/library.ts';

/** What the library asks; fake_cuda.c has the same list. */
const asks = [
  'allocate',
  'free',
  'write',
  'read',
  'copy',
  'set',
  'load',
  'unload',
  'kernel',
  'variable',
  'parameters',
  'launch',
] as const;

/** Errors of CUDA that the device gives; negative, so that they are no handles. */
const error = { invalidValue: -1, invalidPtx: -218, notFound: -500, tooManyResources: -701 } as const;

/** What a real GPU reports of a fault. A kernel that never ends hangs there, and here. */
const faults: Readonly<Partial<Record<FindingKind, number>>> = {
  'out-of-bounds': -700,
  'use-after-free': -700,
  misaligned: -716,
  trap: -719,
  assert: -710,
  'stack-overflow': -714,
  'bad-launch': -701,
};
const HANGS: readonly FindingKind[] = ['deadlock', 'budget-exceeded', 'barrier-divergence'];
const INSTRUCTION_BUDGET = 2 ** 32;

/** A launch takes as long as its thread-instructions do at this rate, and this long at least. A made-up device; only its consistency matters. */
const INSTRUCTIONS_PER_NANOSECOND = 2;
const LEAST_NANOSECONDS = 500;

interface Kernel {
  module: LoadedModule;
  name: string;
  parameterBytes: readonly number[];
}

class FakeGpu {
  readonly #gpu = new VirtualGpu({ memoryBytes: 2 ** 30 });
  readonly #modules = new Map<number, { module: LoadedModule; ptx: string }>();
  /** Modules that were unloaded, by their text: loading them again starts them afresh without compiling them anew. */
  readonly #unloaded = new Map<string, LoadedModule[]>();
  readonly #kernels = new Map<number, Kernel>();
  #lastId = 0;

  answer(what: number, a: bigint, b: bigint, c: bigint, p: bigint, q: bigint): bigint | number {
    switch (asks[what]) {
      case 'allocate': {
        const address = this.#gpu.allocate(Number(a));
        this.#gpu.write(address, new Uint8Array(Number(a)).fill(0xcd));
        return address;
      }
      case 'free':
        this.#gpu.free(a);
        return 0;
      case 'write':
        this.#gpu.write(a, bytesAt(p === 0n ? b : p, Number(p === 0n ? c : b)));
        return 0;
      case 'read':
        writeAt(q, this.#gpu.read(a, Number(b)));
        return 0;
      case 'copy':
        this.#gpu.write(a, this.#gpu.read(b, Number(c)));
        return 0;
      case 'set':
        return this.#set(a, b, Number(c));
      case 'load':
        return this.#load(textAt(p), q, Number(a));
      case 'unload':
        return this.#unload(Number(a));
      case 'kernel':
        return this.#kernel(Number(a), textAt(p));
      case 'variable':
        return this.#variable(Number(a), textAt(p), q);
      case 'parameters': {
        const kernel = this.#kernels.get(Number(a));
        if (!kernel) return error.invalidValue;
        writeAt(q, new Uint8Array(Uint32Array.from(kernel.parameterBytes).buffer));
        return kernel.parameterBytes.length;
      }
      case 'launch':
        return this.#launch(Number(a), p, q);
      default:
        throw new Error(`the fake library asks for ${what}, which is not known`);
    }
  }

  #set(address: bigint, packed: bigint, count: number): number {
    const width = Number(packed >> 32n);
    const pattern = Buffer.alloc(4);
    pattern.writeUInt32LE(Number(packed & 0xffff_ffffn));
    this.#gpu.write(address, Buffer.alloc(count * width, pattern.subarray(0, width)));
    return 0;
  }

  #load(ptx: string, log: bigint, logBytes: number): number {
    try {
      const kept = this.#unloaded.get(ptx)?.pop();
      if (kept) this.#gpu.resetGlobals(kept);
      this.#modules.set(++this.#lastId, { module: kept ?? this.#gpu.load(ptx, { name: 'module' }), ptx });
      return this.#lastId;
    } catch (reason) {
      if (!(reason instanceof PtxError)) throw reason;
      if (log !== 0n) writeAt(log, Buffer.from(`${reason.message}\0`).subarray(-logBytes));
      return error.invalidPtx;
    }
  }

  #unload(id: number): number {
    const found = this.#modules.get(id);
    if (!found) return error.invalidValue;
    this.#modules.delete(id);
    this.#unloaded.set(found.ptx, [...(this.#unloaded.get(found.ptx) ?? []), found.module]);
    return 0;
  }

  #kernel(id: number, name: string): number {
    const module = this.#modules.get(id)?.module;
    const found = module?.ptx.functions.get(name);
    if (!module || !found?.entry) return error.notFound;
    const ends = found.params.map((parameter) => (parameter.kind === 'variable' ? parameter.variable.bytes : 0));
    this.#kernels.set(++this.#lastId, { module, name, parameterBytes: ends });
    return this.#lastId;
  }

  #variable(id: number, name: string, out: bigint): number {
    const found = this.#modules.get(id)?.module.global(name);
    if (!found) return error.notFound;
    const { address, bytes } = found.allocation;
    writeAt(out, new Uint8Array(BigUint64Array.of(address, BigInt(bytes)).buffer));
    return 0;
  }

  #launch(id: number, shape: bigint, blob: bigint): number {
    const kernel = this.#kernels.get(id);
    if (!kernel) return error.invalidValue;
    const words = new Uint32Array(bytesAt(shape, 44).slice().buffer);
    const [gx, gy, gz, bx, by, bz, dynamicSharedBytes, cx, cy, cz] = words as unknown as number[];
    let at = blob;
    const parameters = kernel.parameterBytes.map((bytes) => {
      const value = bytesAt(at, bytes).slice();
      at += BigInt(bytes);
      return value;
    });
    const clustered = cx! * cy! * cz! > 1;
    const report = this.#gpu.launch(kernel.module, kernel.name, {
      grid: [gx!, gy!, gz!],
      block: [bx!, by!, bz!],
      dynamicSharedBytes,
      ...(clustered ? { cluster: [cx!, cy!, cz!] as const } : {}),
      arguments: parameters,
      instructionBudget: INSTRUCTION_BUDGET,
      stopAtFault: false,
    });
    if (report.printed !== '') writeSync(1, report.printed);
    return outcome(report);
  }
}

/** Nanoseconds that the launch took, or the error it ended with. */
function outcome({ findings, completed, threadInstructions }: LaunchReport): number {
  for (const { kind } of findings) if (faults[kind] !== undefined) return faults[kind];
  if (!completed || findings.some(({ kind }) => HANGS.includes(kind))) hang();
  return Math.round(LEAST_NANOSECONDS + threadInstructions / INSTRUCTIONS_PER_NANOSECOND);
}

function hang(): never {
  const nothing = new Int32Array(new SharedArrayBuffer(4));
  for (;;) Atomics.wait(nothing, 0, 0);
}

/** Puts the virtual GPU behind a driver that is the fake library. */
export function attachFakeGpu(driver: Driver): void {
  const gpu = new FakeGpu();
  const words = ['int', 'uint64_t', 'uint64_t', 'uint64_t', 'uint64_t', 'uint64_t'];
  const type = koffi.pointer(koffi.proto('int64_t', words));
  const callback = koffi.register((what: number, ...rest: (number | bigint)[]) => {
    const [a, b, c, p, q] = rest.map(BigInt);
    try {
      return gpu.answer(what, a!, b!, c!, p!, q!);
    } catch (reason) {
      // Nothing may be thrown through C.
      process.stderr.write(`Error: the fake GPU: ${reason instanceof Error ? reason.stack : reason}\n`);
      process.exit(70);
    }
  }, type);
  driver.extra('assay_fake_set_device', 'void', ['void *'])!(callback);
}
