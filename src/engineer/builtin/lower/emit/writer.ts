/** Indented text. */
export class CodeWriter {
  readonly #lines: string[] = [];
  #depth = 0;

  /** Adds lines at the current depth; text may hold several. */
  line(text: string): void {
    for (const line of text.split('\n')) this.#lines.push(line === '' ? '' : '  '.repeat(this.#depth) + line);
  }

  /** A line that opens a block: `for (...) {`. */
  open(text: string): void {
    this.line(text);
    this.#depth++;
  }

  close(text = '}'): void {
    this.#depth--;
    this.line(text);
  }

  toString(): string {
    return `${this.#lines.join('\n')}\n`;
  }
}
