/**
 * Messages between two processes over a pipe. The other side may be anyone: what is no message, or longer than expected, ends the channel with a
 * sentence and nothing else. (Node's own channel throws in the parent for what a child writes, and takes messages of any length.)
 *
 * A message is its length in bytes (32 bits, little-endian) and the structured clone of its value.
 */
import type { Duplex } from 'node:stream';
import { deserialize, serialize } from 'node:v8';

const HEADER_BYTES = 4;
export const MOST_MESSAGE_BYTES = 2 ** 32 - 1;

export interface Listener {
  message(value: unknown): void;
  /** Nothing more comes. `why`: what was wrong with what came; undefined where the other side has closed the pipe. */
  ended(why: string | undefined): void;
}

export class Channel {
  /** Messages longer than this end the channel; what is under way was held against what this was when it began. */
  mostBytes: number;
  readonly #pipe: Duplex;
  readonly #listener: Listener;
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerBytes = 0;
  #body: Buffer | undefined;
  #bodyBytes = 0;
  #over = false;

  constructor(pipe: Duplex, mostBytes: number, listener: Listener) {
    this.#pipe = pipe;
    this.mostBytes = mostBytes;
    this.#listener = listener;
    pipe.on('data', (chunk: Buffer) => this.#take(chunk));
    pipe.on('error', () => this.#end(undefined)); // the other side is gone
    pipe.on('close', () => this.#end(undefined));
    pipe.on('end', () => this.#end(undefined));
  }

  /** Whether messages can still come. */
  get open(): boolean {
    return !this.#over;
  }

  /** @throws Error with a sentence where the value is too long for a message, or holds what cannot be sent */
  send(value: unknown): void {
    if (this.#over) return;
    const body = serialize(value);
    if (body.length > MOST_MESSAGE_BYTES) throw new Error(`a message of ${body.length} bytes is too long`);
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt32LE(body.length);
    this.#pipe.cork();
    this.#pipe.write(header);
    this.#pipe.write(body);
    this.#pipe.uncork();
  }

  /** Tells the other side that nothing more comes. */
  close(): void {
    this.#end(undefined);
  }

  #take(chunk: Buffer): void {
    for (let at = 0; at < chunk.length && !this.#over; ) {
      if (this.#body === undefined) {
        const count = chunk.copy(this.#header, this.#headerBytes, at);
        this.#headerBytes += count;
        at += count;
        if (this.#headerBytes === HEADER_BYTES) this.#begin(this.#header.readUInt32LE());
        continue;
      }
      const count = chunk.copy(this.#body, this.#bodyBytes, at);
      this.#bodyBytes += count;
      at += count;
      if (this.#bodyBytes === this.#body.length) this.#complete(this.#body);
    }
  }

  #begin(length: number): void {
    // Nothing can be cloned into no bytes.
    if (length === 0 || length > this.mostBytes) {
      this.#end(`a message of ${length} bytes, where ${this.mostBytes} are the most`);
      return;
    }
    this.#body = Buffer.allocUnsafeSlow(length);
    this.#bodyBytes = 0;
    this.#headerBytes = 0;
  }

  #complete(body: Buffer): void {
    this.#body = undefined;
    let value: unknown;
    try {
      value = deserialize(body);
    } catch {
      this.#end('a message that is none');
      return;
    }
    this.#listener.message(value);
  }

  #end(why: string | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#pipe.destroy();
    this.#listener.ended(why);
  }
}
