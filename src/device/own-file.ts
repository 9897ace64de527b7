/** Files of programs beside a module: `.ts` from source, `.js` as installed. */
import { fileURLToPath } from 'node:url';

/** `module` is its `import.meta.url`; `name` has no extension: `./child`. */
export function ownFile(module: string, name: string): string {
  return fileURLToPath(new URL(`${name}${module.endsWith('.ts') ? '.ts' : '.js'}`, module));
}
