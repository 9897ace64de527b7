/**
 * The CUDA text of an extension, its lines where the submission has them: messages, line information and plans then name the submission's own lines.
 * A source string that stands in the file as it is (most do) is padded with empty lines; one that the program puts together comes after the file's last line.
 */

/** The sources joined as load_inline joins them, padded. `placed`: the lines are the submission's. */
export function paddedSource(sources: readonly string[], submission: string): { text: string; placed: boolean } {
  const file = submission.split('\n').map((line) => line.trimEnd());
  const own = sources.join('\n').split('\n');
  const aligned = align(own, file);
  if (aligned) return { text: aligned.join('\n'), placed: true };
  return { text: `${'\n'.repeat(file.length)}${own.join('\n')}`, placed: false };
}

/** How far ahead a line is looked for where Python's escapes took some away. */
const LOOK_AHEAD = 4;
/** Share of the lines that must be the file's own. */
const MOST = 0.6;

function align(own: readonly string[], file: readonly string[]): string[] | undefined {
  const first = own.findIndex((line) => line.trim().length > 3);
  if (first < 0) return undefined;
  let best: { lines: string[]; matched: number } | undefined;
  const wanted = own[first]?.trimEnd() as string;
  file.forEach((line, at) => {
    // The string's first line may stand behind the quotes that open it.
    if (line !== wanted && !line.endsWith(`"""${wanted}`) && !line.endsWith(`'''${wanted}`)) return;
    if (at < first) return;
    const tried = follow(own, file, at - first);
    if (!best || tried.matched > best.matched) best = tried;
  });
  const counted = own.filter((line) => line.trim() !== '').length;
  return best && best.matched >= MOST * counted ? best.lines : undefined;
}

function follow(own: readonly string[], file: readonly string[], start: number): { lines: string[]; matched: number } {
  const lines: string[] = new Array(start).fill('');
  let matched = 0;
  let at = start;
  for (const line of own) {
    const text = line.trimEnd();
    if (text !== '' && file[at] !== text && !lines.at(-1)?.endsWith('\\')) {
      const ahead = file.slice(at, at + LOOK_AHEAD).indexOf(text);
      for (let i = 0; i < ahead; i++) lines.push('');
      if (ahead > 0) at += ahead;
    }
    if (text !== '' && file[at] === text) matched++;
    lines.push(line);
    at++;
  }
  return { lines, matched };
}
