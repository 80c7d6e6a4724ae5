import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { parse as parseYaml } from 'yaml';
import { CodedError } from './errors.ts';

export const optionErrorCodes = {
  option_unknown: 'A flag or a key of the configuration file has a name that the command does not know.',
  option_invalid: 'The value of a flag, variable or key is not of the form that the help text names.',
  option_missing: 'A setting that has no default was given nowhere.',
  config_unreadable: 'The configuration file cannot be read, or is not a YAML mapping of names to values.',
} as const;

/** Wrong use of a command; programs exit with 2 on it. */
export class OptionError extends CodedError<keyof typeof optionErrorCodes> {}

/** One setting: how it is said in help and how its text becomes a value. */
export interface Option<T> {
  /** The placeholder in help, such as HOST:PORT; empty for a switch. */
  readonly placeholder: string;
  /** One letter that stands for its name. */
  readonly short?: string;
  readonly help: string;
  /** A variable of other tools that says the same, such as DOCKER_CONFIG. */
  readonly variable?: string;
  /** The text that counts where none is given; undefined means that the setting must be given. */
  readonly fallback: string | undefined;
  /** Throws a plain message if the text is not of the right form. */
  readonly parse: (text: string) => T;
}

export type OptionTable = Readonly<Record<string, Option<unknown>>>;
export type OptionValues<Table extends OptionTable> = {
  readonly [Name in keyof Table]: Table[Name] extends Option<infer Value> ? Value : never;
};

/** Any text; the empty text, if it is the fallback, means "not set". */
export function text(placeholder: string, help: string, fallback?: string): Option<string> {
  return { placeholder, help, fallback, parse: (value) => value };
}

export function oneOf<const Choice extends string>(
  choices: readonly Choice[],
  help: string,
  fallback?: NoInfer<Choice>,
): Option<Choice> {
  const parse = (value: string): Choice => {
    const choice = choices.find((each) => each === value);
    if (choice === undefined) throw new Error(`expected one of ${choices.join(', ')}`);
    return choice;
  };
  return { placeholder: choices.join('|'), help, fallback, parse };
}

/** A whole number from `least` to `most`. */
export function whole(
  placeholder: string,
  help: string,
  range: { least: number; most: number },
  fallback?: number,
): Option<number> {
  const parse = (value: string): number => {
    const parsed = /^\d+$/.test(value) ? Number(value) : Number.NaN;
    if (!(parsed >= range.least && parsed <= range.most)) {
      throw new Error(`expected a whole number from ${range.least} to ${range.most}`);
    }
    return parsed;
  };
  return { placeholder, help, fallback: fallback?.toString(), parse };
}

export function onOff(help: string, fallback = false): Option<boolean> {
  const parse = (value: string): boolean => {
    if (value !== 'true' && value !== 'false') throw new Error('expected true or false');
    return value === 'true';
  };
  return { placeholder: '', help, fallback: String(fallback), parse };
}

const unitMilliseconds: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** A span of time such as 500ms, 30s, 5m, 4h or 90d; the value is in milliseconds. */
export function duration(help: string, fallback?: string): Option<number> {
  const parse = (value: string): number => {
    const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(value);
    const unit = unitMilliseconds[match?.[2] ?? ''];
    if (!match || unit === undefined)
      throw new Error('expected a number and a unit, such as 500ms, 30s, 5m, 4h or 90d');
    return Number(match[1]) * unit;
  };
  return { placeholder: 'DURATION', help, fallback, parse };
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** HOST:PORT, an IPv6 host in brackets; port 0 lets the system choose one. */
export function address(help: string, fallback?: string): Option<Address> {
  const parse = (value: string): Address => {
    const match = /^(?:\[([^\]]+)\]|([^:]*)):(\d+)$/.exec(value);
    const port = Number(match?.[3]);
    if (!match || port > 65_535) throw new Error('expected HOST:PORT, such as 0.0.0.0:8443 or [::]:8443');
    return { host: match[1] ?? (match[2] || '0.0.0.0'), port };
  };
  return { placeholder: 'HOST:PORT', help, fallback, parse };
}

/** Texts with commas between them; an empty text is an empty list. */
export function list(placeholder: string, help: string, fallback = ''): Option<readonly string[]> {
  const parse = (value: string): readonly string[] =>
    value
      .split(',')
      .map((each) => each.trim())
      .filter((each) => each !== '');
  return { placeholder, help, fallback, parse };
}

const flagName = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
const variableName = (name: string): string =>
  `GATEHOUSE_${flagName(name).replaceAll('-', '_').toUpperCase()}`;

/**
 * The settings of a command: from its flags, else from `GATEHOUSE_*` variables, else from the YAML file that
 * `--config` or `GATEHOUSE_CONFIG` names, else from a variable of other tools, else the fallback. The first three use the
 * same names.
 * Throws OptionError; what is not an option stands in `positionals`.
 */
export function readOptions<Table extends OptionTable>(
  table: Table,
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>> = process.env,
): { values: OptionValues<Table>; positionals: readonly string[] } {
  const { flags, positionals } = parseFlags(table, argv);
  const file = readConfigFile(table, flags.get('config') ?? env.GATEHOUSE_CONFIG);
  const values = Object.entries(table).map(([name, option]) => {
    const flag = flagName(name);
    const variable = variableName(name);
    const found = [
      { where: `--${flag}`, given: flags.get(flag) },
      { where: variable, given: env[variable] },
      { where: `${flag} in the configuration file`, given: file.get(flag) },
      ...(option.variable === undefined ? [] : [{ where: option.variable, given: env[option.variable] }]),
      { where: `--${flag}`, given: option.fallback },
    ].find(({ given }) => given !== undefined);
    if (found?.given === undefined) {
      throw new OptionError('option_missing', `--${flag} is not set`, {
        hint: `Give --${flag} ${option.placeholder} or set ${variable}.`,
      });
    }
    return [name, parseValue(option, found.where, found.given)];
  });
  return { values: Object.fromEntries(values) as OptionValues<Table>, positionals };
}

/** As `readOptions`, for a command that takes nothing but options. */
export function readOptionsOnly<Table extends OptionTable>(
  table: Table,
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>> = process.env,
): OptionValues<Table> {
  const { values, positionals } = readOptions(table, argv, env);
  if (positionals.length === 0) return values;
  throw new OptionError('option_unknown', `'${positionals[0]}' is no option`, {
    hint: 'See --help for all options.',
  });
}

/** Whether somebody wants to know how a command is used. */
export function asksForHelp(argv: readonly string[]): boolean {
  return argv.includes('--help') || argv.includes('-h');
}

function parseFlags(
  table: OptionTable,
  argv: readonly string[],
): { flags: Map<string, string>; positionals: string[] } {
  const flags = new Map<string, string>();
  const options = Object.fromEntries(
    Object.entries(table).map(([name, option]) => [
      flagName(name),
      {
        type: option.placeholder === '' ? ('boolean' as const) : ('string' as const),
        ...(option.short !== undefined && { short: option.short }),
      },
    ]),
  );
  try {
    const parsed = parseArgs({
      args: [...argv],
      options: { ...options, config: { type: 'string' } },
      allowPositionals: true,
      allowNegative: true,
    });
    for (const [name, value] of Object.entries(parsed.values)) flags.set(name, String(value));
    return { flags, positionals: parsed.positionals };
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new OptionError('option_unknown', message.split('. ')[0] ?? message, {
      hint: 'See --help for all options.',
    });
  }
}

function readConfigFile(table: OptionTable, path: string | undefined): Map<string, string> {
  if (path === undefined) return new Map();
  let content: unknown;
  try {
    content = parseYaml(readFileSync(path, 'utf8')) ?? {};
  } catch (cause) {
    throw new OptionError('config_unreadable', `cannot read the configuration file ${path}`, { cause });
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new OptionError('config_unreadable', `${path} is not a mapping of setting names to values`);
  }
  const known = new Set(Object.keys(table).map(flagName));
  return new Map(
    Object.entries(content).map(([key, value]) => {
      if (!known.has(key)) {
        throw new OptionError('option_unknown', `${path} has a setting '${key}' that is not known`, {
          hint: `The settings are the names of the flags: ${[...known].join(', ')}.`,
        });
      }
      return [key, Array.isArray(value) ? value.join(',') : String(value)];
    }),
  );
}

function parseValue(option: Option<unknown>, where: string, given: string): unknown {
  try {
    return option.parse(given);
  } catch (cause) {
    const expected = cause instanceof Error ? cause.message : String(cause);
    throw new OptionError('option_invalid', `${where} is '${given}': ${expected}`);
  }
}

/** The help text of a command: usage line, what it does, options with their defaults, and an example. */
export function describeOptions(
  command: { usage: string; summary: string; example: string },
  table: OptionTable,
): string {
  const rows = Object.entries(table).map(([name, option]) => ({
    flag: `${option.short ? `-${option.short}, ` : ''}--${flagName(name)} ${option.placeholder}`.trimEnd(),
    help: option.fallback ? `${option.help} (default ${option.fallback})` : option.help,
  }));
  rows.push({ flag: '--config FILE', help: 'a YAML file with the same names as the flags' });
  const last = Object.keys(table).at(-1) ?? 'config';
  const width = Math.min(34, Math.max(...rows.map((row) => row.flag.length)));
  const lines = rows.map(({ flag, help }) =>
    flag.length > width ? `  ${flag}\n  ${' '.repeat(width)}  ${help}` : `  ${flag.padEnd(width)}  ${help}`,
  );
  return [
    `Usage: ${command.usage}`,
    '',
    command.summary,
    '',
    'Options:',
    ...lines,
    '',
    `Each option can also be set as a variable: --${flagName(last)} is ${variableName(last)}.`,
    '',
    'Example:',
    `  ${command.example}`,
    '',
  ].join('\n');
}
