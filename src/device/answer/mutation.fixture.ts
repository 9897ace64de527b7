/** Changing an honest answer in one place, for tests of those who read it. */

/** Every place in a value, as keys from the top. */
export function pathsOf(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return [path];
  const inside = Object.entries(value).flatMap(([key, one]) => pathsOf(one, [...path, key]));
  return path.length === 0 ? inside : [path, ...inside];
}

/** Puts a value in one place, or takes away what is there. */
export function replaceAt(answer: object, path: readonly string[], value: unknown, remove: boolean): void {
  let at = answer as Record<string, unknown>;
  for (const key of path.slice(0, -1)) at = at[key] as Record<string, unknown>;
  if (remove) delete at[path.at(-1)!];
  else at[path.at(-1)!] = value;
}
