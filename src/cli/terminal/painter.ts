/**
 * A few status lines at the bottom of the terminal, rewritten in place, with a log scrolling above them.
 * Without a terminal only the log is written, a line an entry.
 */
import type { WriteStream } from 'node:tty';
import { clip } from './format.ts';

export class Painter {
  readonly #stream: WriteStream;
  readonly #live: boolean;
  #painted = 0;
  #lines: readonly string[] = [];

  constructor(stream: WriteStream) {
    this.#stream = stream;
    this.#live = Boolean(stream.isTTY) && process.env.TERM !== 'dumb';
  }

  get width(): number {
    return Math.max(40, Math.min(this.#stream.columns ?? 80, 100));
  }

  /** A line that stays. */
  log(line: string): void {
    this.#erase();
    this.#stream.write(`${line}\n`);
    this.#paint();
  }

  /** What the status shows from now on; plain text, one line each. */
  status(lines: readonly string[]): void {
    this.#erase();
    this.#lines = lines;
    this.#paint();
  }

  /** Takes the status away. */
  clear(): void {
    this.#erase();
    this.#lines = [];
  }

  #erase(): void {
    if (this.#painted > 0) this.#stream.write(`\u001b[${this.#painted}A\u001b[0J`);
    this.#painted = 0;
  }

  #paint(): void {
    if (!this.#live || this.#lines.length === 0) return;
    const width = (this.#stream.columns ?? 80) - 1;
    this.#stream.write(`${this.#lines.map((line) => clip(line, width)).join('\n')}\n`);
    this.#painted = this.#lines.length;
  }
}
