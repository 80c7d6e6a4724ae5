import { cp, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { progress, runOk } from '../../test/harness/process.ts';
import { need } from '../../test/harness/tools.ts';

/** Layers of Java programs, made by Maven: servers, libraries as they are published, and applications of our own. */
export async function makeJavaLayers(folder: string): Promise<readonly string[]> {
  const { mvn } = await need('mvn');
  progress('building and fetching Java programs (some 2 min the first time)');
  const source = path.join(folder, 'source');
  await cp(path.join(import.meta.dirname, 'java'), source, { recursive: true });
  await runOk([mvn, '--batch-mode', '--quiet', `-Dout=${folder}`, 'package'], { cwd: source });
  const programs = path.join(folder, 'programs');
  const place = path.join(programs, 'srv');
  await mkdir(place, { recursive: true });
  for (const file of [
    'app/target/app-1.0.jar',
    'shaded/target/shaded-1.0.jar',
    'suite/target/suite-1.0.ear',
  ]) {
    await cp(path.join(source, file), path.join(place, path.basename(file)));
  }
  return [path.join(folder, 'servers'), path.join(folder, 'libraries'), programs];
}
