/** A shared library and the functions of a table, called through koffi: synchronously, on the thread that has the context. */
import koffi from 'koffi';
import { type ArgumentsOf, nativeTypes, type ParameterKind } from './functions.ts';

type Table = Readonly<Record<string, readonly ParameterKind[]>>;
type Native = (...parameters: unknown[]) => unknown;

/** A library that is not there, or lacks functions; a sentence. */
export class LibraryMissing extends Error {
  override readonly name = 'LibraryMissing';
}

/** Calls functions of `table` in one library. Every function returns its status. */
export class NativeLibrary<Functions extends Table> {
  readonly #library: ReturnType<typeof koffi.load>;
  readonly #functions = new Map<string, Native>();

  /** @throws LibraryMissing when the file cannot be loaded or lacks a function of the table. */
  constructor(
    readonly file: string,
    table: Functions,
  ) {
    try {
      this.#library = koffi.load(file);
    } catch (error) {
      throw new LibraryMissing(`${file} cannot be loaded: ${firstLine(error).replace(/\.$/, '')}.`);
    }
    const missing: string[] = [];
    for (const [name, kinds] of Object.entries(table)) {
      try {
        this.#functions.set(
          name,
          this.#library.func(
            name,
            'int',
            kinds.map((kind) => nativeTypes[kind]),
          ) as Native,
        );
      } catch {
        missing.push(name);
      }
    }
    if (missing.length > 0) throw new LibraryMissing(`${file} has no ${missing.join(', ')}: it is too old.`);
  }

  /** The status of the call: zero is success. */
  call<Name extends string & keyof Functions>(name: Name, ...parameters: ArgumentsOf<Functions[Name]>): number {
    return this.#functions.get(name)!(...parameters) as number;
  }

  /** A function beside the table; undefined where the library has none of that name. */
  extra(name: string, result: string, parameters: readonly string[]): Native | undefined {
    try {
      return this.#library.func(name, result, [...parameters]) as Native;
    } catch {
      return undefined;
    }
  }
}

const firstLine = (error: unknown): string => (error instanceof Error ? error.message : String(error)).split('\n')[0]!;

/** Where the first byte of host memory lies, as a C pointer. The caller keeps the memory alive. */
export function addressOf(memory: NodeJS.ArrayBufferView): bigint {
  return BigInt(koffi.address(memory));
}

/** Text of a C string that lies at an address; empty for a null pointer. */
export function textAt(address: bigint): string {
  return address === 0n ? '' : koffi.decode.string(address);
}

/** Host memory at an address, as bytes: no copy. The caller knows that it is there, and how long. */
export function bytesAt(address: bigint, length: number): Uint8Array {
  return length === 0 ? new Uint8Array(0) : new Uint8Array(koffi.view(address, length));
}

/** Copies bytes to host memory at an address. */
export function writeAt(address: bigint, bytes: Uint8Array): void {
  bytesAt(address, bytes.length).set(bytes);
}

/** Writes out what C functions of this process have put into their buffers, the kernels' printf among them. */
export function flushOutput(): void {
  flush ??= koffi.load(null).func('fflush', 'int', ['void *']) as Native;
  flush(null);
}
let flush: Native | undefined;

const PR_SET_PDEATHSIG = 1;
const SIGKILL = 9;

/** Lets the kernel end this process when its parent ends: one that waits for a GPU that hangs does not see that it is alone. Linux. */
export function dieWithParent(): void {
  const words = ['int', 'uint64_t', 'uint64_t', 'uint64_t', 'uint64_t'];
  koffi.load(null).func('prctl', 'int', words)(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
}
