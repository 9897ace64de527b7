/** Numbers and text as people read them in a terminal of 80 columns. */

/** Microseconds with three significant digits and a unit: `3.91 us`, `12.4 ms`. */
export function time(microseconds: number): string {
  if (microseconds >= 1e6) return `${significant(microseconds / 1e6)} s`;
  if (microseconds >= 1e3) return `${significant(microseconds / 1e3)} ms`;
  return `${significant(microseconds)} us`;
}

/** Seconds as `m:ss`. */
export function clock(seconds: number): string {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

/** Three significant digits, without an exponent. */
export function significant(value: number): string {
  if (value === 0) return '0';
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(digits, 6));
}

/** `text` in lines of at most `width` columns, broken at spaces; every line but the first is indented. */
export function wrap(text: string, width: number, indent = ''): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    const room = lines.length === 0 ? width : width - indent.length;
    if (line !== '' && line.length + 1 + word.length > room) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  lines.push(line);
  return lines.map((each, index) => (index === 0 ? each : indent + each)).join('\n');
}

/** Cut to `width` columns, with an ellipsis where something was cut. */
export function clip(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 3))}...`;
}

/**
 * Text of others (a compiler, a kernel's printf, a task file's names) made safe to print: control characters, which
 * could move the cursor or forge lines of ours, are shown as escapes.
 */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return text.replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
}
