/**
 * Small changes to a file, as models write them: blocks of text to be found and text to take its place. A block must be found exactly once; if not,
 * nothing is changed at all and the reason is said. A model's slip can so never corrupt a kernel.
 */

export interface Edit {
  search: string;
  replace: string;
}

/** Why edits could not be made, in words for whoever wrote them. */
export class EditRefused extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'EditRefused';
  }
}

const open = /^<{5,} ?SEARCH\s*$/;
const middle = /^={5,}\s*$/;
const close = /^>{5,} ?REPLACE\s*$/;

/** The edits in a text, in order; none where it has none. Throws EditRefused where a block is not closed. */
export function readEdits(text: string): Edit[] {
  const edits: Edit[] = [];
  let part: 'outside' | 'search' | 'replace' = 'outside';
  let [search, replace]: [string[], string[]] = [[], []];
  for (const line of text.replaceAll('\r\n', '\n').split('\n')) {
    if (part === 'outside') {
      if (!open.test(line)) continue;
      part = 'search';
      [search, replace] = [[], []];
    } else if (part === 'search') {
      if (open.test(line)) throw new EditRefused('A SEARCH block begins inside of another one.');
      if (middle.test(line)) part = 'replace';
      else search.push(line);
    } else if (close.test(line)) {
      part = 'outside';
      edits.push({ search: search.join('\n'), replace: replace.join('\n') });
    } else if (open.test(line)) {
      throw new EditRefused('A SEARCH block begins before the one before it has its >>>>>>> REPLACE line.');
    } else replace.push(line);
  }
  if (part !== 'outside')
    throw new EditRefused('The last SEARCH block has no end: its >>>>>>> REPLACE line is missing.');
  return edits;
}

/** The file with all edits made. Each is looked for in the file as it was. Throws EditRefused, and nothing was changed. */
export function applyEdits(file: string, edits: readonly Edit[]): string {
  const source = file.replaceAll('\r\n', '\n');
  if (edits.length === 0) throw new EditRefused('There is no edit.');
  const places = edits.map((edit, index) => ({
    ...edit,
    number: index + 1,
    at: placeOf(source, edit.search, index + 1),
  }));
  places.sort((a, b) => a.at - b.at);
  for (const [index, place] of places.entries()) {
    const before = places[index - 1];
    if (before && before.at + before.search.length > place.at)
      throw new EditRefused(`Edits ${before.number} and ${place.number} overlap: make one of them.`);
  }
  let result = '';
  let done = 0;
  for (const { at, search, replace } of places) {
    result += source.slice(done, at) + replace;
    done = at + search.length;
  }
  result += source.slice(done);
  if (result === source) throw new EditRefused('The edits change nothing.');
  return result;
}

/** Where the text stands: the one place, on whole lines. */
function placeOf(source: string, search: string, number: number): number {
  if (search.trim() === '')
    throw new EditRefused(`Edit ${number} looks for nothing: copy the lines that are to change.`);
  const places: number[] = [];
  for (let at = source.indexOf(search); at !== -1; at = source.indexOf(search, at + 1)) {
    const end = at + search.length;
    const whole = (at === 0 || source[at - 1] === '\n') && (end === source.length || source[end] === '\n');
    if (whole) places.push(at);
  }
  const begins = JSON.stringify(
    search
      .split('\n')
      .find((line) => line.trim() !== '')!
      .trim()
      .slice(0, 60),
  );
  if (places.length === 0)
    throw new EditRefused(
      `Edit ${number}, which begins with ${begins}, is not in the file: copy whole lines exactly, with their indentation.`,
    );
  if (places.length > 1)
    throw new EditRefused(
      `Edit ${number}, which begins with ${begins}, fits ${places.length} places: copy more lines around it.`,
    );
  return places[0]!;
}
