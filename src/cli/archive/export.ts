/**
 * The archive for others to read: a JSON Lines file, or a folder with every source and its evidence. One line a candidate in both, with schema
 * `assay.archive-candidate/1`: the archive room's page describes its fields.
 */

import { once } from 'node:events';
import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Archive, TaskSummary } from '../../archive/index.ts';

export interface Exported {
  tasks: number;
  candidates: number;
}

/** Writes `tasks` to `to`: a file where its name ends in `.jsonl`, else a folder. Throws where a file cannot be written. */
export async function exportArchive(archive: Archive, tasks: readonly TaskSummary[], to: string): Promise<Exported> {
  const folder = to.endsWith('.jsonl') ? undefined : to;
  if (folder) mkdirSync(folder, { recursive: true });
  const lines = createWriteStream(folder ? join(folder, 'candidates.jsonl') : to);
  let candidates = 0;
  try {
    for (const { hash, name } of tasks) {
      const source = (await archive.taskSource(hash))!;
      const place = folder && join(folder, `${safe(name)}-${hash.slice(0, 12)}`);
      if (place) {
        mkdirSync(place, { recursive: true });
        writeFileSync(join(place, 'task.py'), source);
      }
      for (const run of (await archive.runs(hash)).toReversed()) {
        const calls = await archive.calls(run.id);
        for (const candidate of await archive.candidates(run.id)) {
          const evidence = (await archive.evidence(candidate.id)) ?? null;
          const own = calls.filter((call) => call.candidate === candidate.id);
          const record = { schema: 'assay.archive-candidate/1', task: { hash, name }, ...candidate, run, calls: own };
          const files = place && {
            source: writeIn(place, safe(candidate.id), 'cu', candidate.source),
            ...(evidence !== null && {
              evidence: writeIn(place, safe(candidate.id), 'json', JSON.stringify(evidence)),
            }),
          };
          // In a folder, what is large has files of its own.
          const { source: text, ...short } = record;
          const line = files ? { ...short, files } : { ...short, source: text, taskSource: source, evidence };
          if (!lines.write(`${JSON.stringify(line)}\n`)) await once(lines, 'drain');
          candidates++;
        }
      }
    }
  } finally {
    lines.end();
    await once(lines, 'close');
  }
  return { tasks: tasks.length, candidates };
}

function writeIn(place: string, name: string, extension: string, text: string): string {
  writeFileSync(join(place, `${name}.${extension}`), text);
  return `${name}.${extension}`;
}

/** A name that is one file's name everywhere. */
function safe(name: string): string {
  return name
    .replace(/[^A-Za-z0-9._-]/g, '_')
    .replace(/^\.+/, '_')
    .slice(0, 120);
}
