/** Reads the file that a candidate is given as: its text, whole. A launch description takes its PTX in, so that one text is frozen and kept in the evidence. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';

/** The candidate's source. `kernel.ptx` is read with `kernel.json` beside it, a description with the PTX file that it names. Throws a sentence. */
export function readCandidate(file: string): string {
  if (file.endsWith('.ptx')) {
    const description = file.replace(/\.ptx$/, '.json');
    if (!existsSync(description))
      throw new Error(
        `${file} needs a launch description: write ${description} (src/kernel/ptx-door/README.md says how).`,
      );
    return withPtx(description, file);
  }
  return file.endsWith('.json') ? withPtx(file) : readFileSync(file, 'utf8');
}

function withPtx(description: string, ptxFile?: string): string {
  const text = readFileSync(description, 'utf8');
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new Error(`The launch description ${description} is not JSON: ${(error as Error).message}.`);
  }
  if (json === null || typeof json !== 'object' || Array.isArray(json))
    throw new Error(`The launch description ${description} must be a JSON object.`);
  const named = (json as { ptx?: unknown }).ptx;
  if (ptxFile === undefined && typeof named !== 'string')
    throw new Error(`The launch description ${description} must name its PTX file: "ptx": "kernel.ptx".`);
  // A PTX text has lines; a file's name has none.
  if (ptxFile === undefined && (named as string).includes('\n')) return text;
  const beside = isAbsolute(String(named)) ? String(named) : join(dirname(description), String(named));
  return JSON.stringify({ ...json, ptx: readFileSync(ptxFile ?? beside, 'utf8') }, null, 2);
}
