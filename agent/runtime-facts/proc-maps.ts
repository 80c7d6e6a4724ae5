/**
 * The files that a process has mapped to run code from, from the text of /proc/PID/maps (proc_pid_maps(5)), each once. A
 * file that is gone by now is left out, and so is a name in which the kernel has escaped a line break: as it does not
 * escape the escape itself, such a name cannot be told from another one.
 */
export function mappedFiles(maps: string): string[] {
  const found = new Set<string>();
  for (const line of maps.split('\n')) {
    const [, rights, path] = LINE.exec(line) ?? [];
    if (rights?.[2] !== 'x' || path === undefined) continue;
    if (!path.endsWith(DELETED) && !path.includes('\\012')) found.add(path);
  }
  return [...found];
}

/** What the kernel puts behind the name of a file that was removed; a file may really be called so, too. */
export const DELETED = ' (deleted)';

/** `7f00-7f01 r-xp 00002000 08:01 1234   /usr/lib/libc.so.6`: what is no file has a name without a slash, or none. */
const LINE = /^[0-9a-f]+-[0-9a-f]+ (\S{4}) [0-9a-f]+ [0-9a-f]+:[0-9a-f]+ \d+ +(\/.*)$/;
