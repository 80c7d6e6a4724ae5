/** What happens to what a policy denies: denied, warned of, counted, or not even looked at. */
export const modes = ['enforce', 'warn', 'audit', 'off'] as const;
export type Mode = (typeof modes)[number];

/** What happens to an image that has no verdict. */
export const unknownChoices = ['allow', 'deny'] as const;
export type UnknownChoice = (typeof unknownChoices)[number];

/** What a namespace asks for. */
export interface NamespaceSettings {
  readonly mode: Mode;
  readonly unknown: UnknownChoice;
}

export const MODE_LABEL = 'gatehouse.dev/mode';
export const UNKNOWN_LABEL = 'gatehouse.dev/unknown';

/**
 * What the labels of a namespace ask for, the defaults filled in. A label with a value that does not exist counts as
 * absent, and is one of `mistakes`, for somebody meant something by it.
 */
export function settingsOf(
  labels: Readonly<Record<string, string>>,
  defaults: NamespaceSettings,
): NamespaceSettings & { mistakes: readonly string[] } {
  const mode = choose(labels, MODE_LABEL, modes);
  const unknown = choose(labels, UNKNOWN_LABEL, unknownChoices);
  return {
    mode: mode.choice ?? defaults.mode,
    unknown: unknown.choice ?? defaults.unknown,
    mistakes: [...mode.mistakes, ...unknown.mistakes],
  };
}

function choose<Choice extends string>(
  labels: Readonly<Record<string, string>>,
  label: string,
  choices: readonly Choice[],
): { choice: Choice | undefined; mistakes: readonly string[] } {
  const value = labels[label];
  const choice = choices.find((each) => each === value);
  const isMistake = value !== undefined && choice === undefined;
  return {
    choice,
    mistakes: isMistake
      ? [`namespace label ${label} is '${value}', which is none of ${choices.join(', ')}`]
      : [],
  };
}
