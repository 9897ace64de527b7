/** Where Assay keeps things: one folder, `.assay` in the current one unless told otherwise. */
import { join } from 'node:path';

export interface Places {
  home: string;
  /** A folder, or a `postgres://` address: see the archive room. */
  archive: string;
  /** Traced tasks, by content. */
  traces: string;
  /** Compiled device code, by content. */
  builds: string;
  /** What PyTorch compiles when its times are taken. */
  torch: string;
  /** Evidence of `assay judge`. */
  judgements: string;
  /** A folder for each run of `assay optimize`. */
  runs: string;
}

/** The places under `home`. Nothing is made until it is needed. */
export function placesIn(home: string, archive = home): Places {
  return {
    home,
    archive,
    traces: join(home, 'traces'),
    builds: join(home, 'builds'),
    torch: join(home, 'torch'),
    judgements: join(home, 'judgements'),
    runs: join(home, 'runs'),
  };
}
