import { readFile } from 'node:fs/promises';

/** What the last stage of a Containerfile says of how its image runs, as the config of an image has it. */
export async function configOf(containerfile: string): Promise<Readonly<Record<string, unknown>>> {
  const text = await readFile(containerfile, 'utf8');
  const lines = text.slice(text.lastIndexOf('\nFROM ')).split('\n');
  const config: Record<string, unknown> = {};
  for (const line of lines.filter((one) => one !== '' && !one.startsWith('#'))) {
    const [instruction = '', value = ''] = line.split(/ (.*)/);
    if (instruction === 'USER') config.User = value;
    else if (instruction === 'ENV') config.Env = value.split(' ');
    else if (instruction === 'WORKDIR') config.WorkingDir = value;
    else if (instruction === 'ENTRYPOINT') config.Entrypoint = JSON.parse(value);
    else if (!['FROM', 'COPY'].includes(instruction)) throw new Error(`${containerfile}: ${line}?`);
  }
  return config;
}
