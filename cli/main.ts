#!/usr/bin/env node
import { readFile } from 'node:fs/promises';
import { OptionError } from '@gatehouse/lib/options.ts';
import { runCommand } from '@gatehouse/lib/run.ts';

interface Command {
  readonly summary: string;
  /** Loads the command only when it is called: most need little of what is here. */
  readonly run: (argv: readonly string[]) => Promise<void>;
}

const commands: Readonly<Record<string, Command>> = {
  start: {
    summary: 'all of it on this machine, with a PostgreSQL of its own',
    run: async (argv) => (await import('./commands/start.ts')).start(argv),
  },
  sbom: {
    summary: 'what is in an image',
    run: async (argv) => (await import('./commands/sbom.ts')).sbom(argv),
  },
  core: {
    summary: 'the core: layers, advisories and verdicts',
    run: async (argv) => (await import('@gatehouse/core/main.ts')).main(argv),
  },
  agent: {
    summary: 'the agent: reads the images of this node',
    run: async (argv) => (await import('@gatehouse/agent/main.ts')).main(argv),
  },
  webhook: {
    summary: 'the admission webhook',
    run: async (argv) => (await import('@gatehouse/webhook/main.ts')).main(argv),
  },
};

const help = `Usage: gatehouse COMMAND [options]

What runs in our clusters, what is in it, is it vulnerable, and may this pod start?

Commands:
${Object.entries(commands)
  .map(([name, { summary }]) => `  ${name.padEnd(10)}${summary}`)
  .join('\n')}

Each command says more with --help; --version says which Gatehouse this is.

Example:
  gatehouse start docker-archive:app.tar
`;

async function main([name, ...argv]: readonly string[]): Promise<void> {
  if (name === undefined || ['--help', '-h', 'help'].includes(name)) {
    process.stdout.write(help);
    return;
  }
  if (name === '--version') {
    const manifest = await readFile(new URL('package.json', import.meta.url), 'utf8');
    process.stdout.write(`gatehouse ${(JSON.parse(manifest) as { version: string }).version}\n`);
    return;
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command) {
    throw new OptionError('option_unknown', `there is no command '${name}'`, {
      hint: `The commands are ${Object.keys(commands).join(', ')}.`,
    });
  }
  await command.run(argv);
}

await runCommand(main);
