/**
 * Plain data with bytes in it, carried between processes: the bytes through a file (in memory, where the system has /dev/shm), the rest as JSON.
 * Tensors of gigabytes do not fit through a pipe. The file is open before the other process starts and is known by its descriptor: whatever that process does
 * to names and links, we read and write nothing else.
 */
import {
  existsSync,
  fstatSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fieldsOf, items, Malformed, own, wholeNumber } from '../answer/fields.ts';

/** One read or write call takes at most this many bytes. */
const CHUNK = 2 ** 30;
/** In-memory files are used where there is room for a few tensors. */
const LEAST_ROOM = 2 ** 30;
/** No request and no answer is nested deeper. */
const MOST_DEPTH = 64;

/** A new file without a name: nothing of it is left when its descriptors are closed. `append`: all that is written goes to its end. */
export function openMemoryFile(append = false): number {
  const folder = mkdtempSync(join(hasRoom('/dev/shm') ? '/dev/shm' : tmpdir(), 'assay-exchange-'));
  try {
    return openSync(join(folder, 'file'), append ? 'ax+' : 'wx+', 0o600);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function hasRoom(folder: string): boolean {
  if (!existsSync(folder)) return false;
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize >= LEAST_ROOM;
}

/** Empties the file, writes the bytes in `value` to it, equal arrays (the same object) once, and gives the rest as JSON. */
export function pack(value: unknown, descriptor: number): unknown {
  ftruncateSync(descriptor);
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
  return walk(value);
}

/**
 * The value again. Bytes that were one array are one array. @throws Malformed where it is none: another form, bytes that the file does not
 * hold, or more of them than `mostBytes`.
 */
export function unpack(json: unknown, descriptor: number, mostBytes = Number.MAX_SAFE_INTEGER): unknown {
  const { size } = fstatSync(descriptor);
  const known = new Map<string, Uint8Array>();
  let left = mostBytes;
  const fetch = (place: unknown): Uint8Array => {
    const [offset, length] = items(place, 'numbers of a place', 2).map((each) => wholeNumber(each, 'bytes', size));
    const key = `${offset} ${length}`;
    let bytes = known.get(key);
    if (bytes === undefined) {
      if (offset! + length! > size) throw new Malformed('its bytes are not all there');
      left -= length!;
      if (left < 0) throw new Malformed(`it has more than ${mostBytes} bytes`);
      bytes = read(descriptor, offset!, length!);
      known.set(key, bytes);
    }
    return bytes;
  };
  const walk = (each: unknown, depth: number): unknown => {
    if (depth > MOST_DEPTH) throw new Malformed('it is nested too deep');
    if (Array.isArray(each)) return items(each, 'items').map((one) => walk(one, depth + 1));
    if (typeof each !== 'object' || each === null) return each;
    const packed = fieldsOf(each, 'a part of it');
    const place = own(packed, 'bytes');
    if (place !== undefined) return fetch(place);
    const fields = Object.entries(fieldsOf(own(packed, 'fields'), 'a part of it'));
    return Object.fromEntries(fields.map(([key, field]) => [key, walk(field, depth + 1)]));
  };
  return walk(json, 0);
}

function read(descriptor: number, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const count = readSync(descriptor, bytes, done, Math.min(CHUNK, length - done), offset + done);
    if (count === 0) throw new Malformed('its bytes are not all there');
    done += count;
  }
  return bytes;
}
