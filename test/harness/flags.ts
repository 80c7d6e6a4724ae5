export type Flags = Readonly<Record<string, string>>;

export const asFlags = (flags: Flags): string[] =>
  Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
