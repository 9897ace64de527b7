/**
 * Plain data with bytes in it, carried between processes: the bytes through a file (in memory, where the system has /dev/shm), the rest as JSON.
 * Tensors of gigabytes do not fit through a pipe.
 */
import { closeSync, existsSync, mkdtempSync, openSync, readSync, statfsSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A value as it travels. Bytes stand in `file`. */
export interface Packed {
  readonly json: unknown;
  readonly file: string;
}

/** One read or write call takes at most this many bytes. */
const CHUNK = 2 ** 30;
/** In-memory files are used where there is room for a few tensors. */
const LEAST_ROOM = 2 ** 30;

/** A new folder for exchanges, of this user alone. */
export function exchangeFolder(): string {
  return mkdtempSync(join(hasRoom('/dev/shm') ? '/dev/shm' : tmpdir(), 'assay-cuda-'));
}

function hasRoom(folder: string): boolean {
  if (!existsSync(folder)) return false;
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize >= LEAST_ROOM;
}

/** Writes the bytes in `value` to `file`; equal arrays (the same object) once. */
export function pack(value: unknown, file: string): Packed {
  const descriptor = openSync(file, 'w', 0o600);
  const known = new Map<Uint8Array, readonly [offset: number, length: number]>();
  let end = 0;
  const place = (bytes: Uint8Array) => {
    let at = known.get(bytes);
    if (at === undefined) {
      for (let done = 0; done < bytes.length; ) {
        done += writeSync(descriptor, bytes, done, Math.min(CHUNK, bytes.length - done), end + done);
      }
      at = [end, bytes.length];
      known.set(bytes, at);
      end += bytes.length;
    }
    return { bytes: at };
  };
  const walk = (each: unknown): unknown => {
    if (each instanceof Uint8Array) return place(each);
    if (Array.isArray(each)) return each.map(walk);
    if (typeof each === 'object' && each !== null) {
      return { fields: Object.fromEntries(Object.entries(each).map(([key, field]) => [key, walk(field)])) };
    }
    return each;
  };
  try {
    return { json: walk(value), file };
  } finally {
    closeSync(descriptor);
  }
}

/** The value again. Bytes that were one array are one array. */
export function unpack({ json, file }: Packed): unknown {
  const descriptor = openSync(file, 'r');
  const known = new Map<string, Uint8Array>();
  const fetch = (offset: number, length: number): Uint8Array => {
    const key = `${offset} ${length}`;
    let bytes = known.get(key);
    if (bytes === undefined) {
      bytes = new Uint8Array(length);
      for (let done = 0; done < length; ) {
        const count = readSync(descriptor, bytes, done, Math.min(CHUNK, length - done), offset + done);
        if (count === 0) throw new Error('a file of exchanged bytes is shorter than what it should hold');
        done += count;
      }
      known.set(key, bytes);
    }
    return bytes;
  };
  const walk = (each: unknown): unknown => {
    if (Array.isArray(each)) return each.map(walk);
    if (typeof each !== 'object' || each === null) return each;
    const { bytes, fields } = each as { bytes?: readonly [number, number]; fields?: Record<string, unknown> };
    if (bytes) return fetch(...bytes);
    return Object.fromEntries(Object.entries(fields!).map(([key, field]) => [key, walk(field)]));
  };
  try {
    return walk(json);
  } finally {
    closeSync(descriptor);
  }
}
