#!/usr/bin/env node
// The command as installed: runs the built program. `npm ci` builds it (script "prepare").
import { existsSync } from 'node:fs';

const program = new URL('../dist/cli/main.js', import.meta.url);
if (!existsSync(program)) {
  process.stderr.write('assay is not built yet. Run `npm run build` in its folder, then try again.\n');
  process.exit(2);
}
await import(program.href);
