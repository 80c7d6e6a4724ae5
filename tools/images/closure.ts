import { readFile } from 'node:fs/promises';
import path from 'node:path';

const SCOPE = '@gatehouse/';

/** The workspace folders that a component runs with: itself, and what it depends on, directly or not. */
export async function closureOf(root: string, component: string): Promise<readonly string[]> {
  const found = new Set<string>();
  const waiting = [component];
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    if (found.has(folder)) continue;
    found.add(folder);
    const manifest = JSON.parse(await readFile(path.join(root, folder, 'package.json'), 'utf8')) as {
      dependencies?: Record<string, string>;
    };
    const own = Object.keys(manifest.dependencies ?? {}).filter((name) => name.startsWith(SCOPE));
    waiting.push(...own.map((name) => name.slice(SCOPE.length)));
  }
  return [...found].sort();
}
