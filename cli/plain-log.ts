import { createLog, type Log, type LogLevel } from '@gatehouse/lib/log.ts';
import { say } from './say.ts';

/** A log for people at a terminal: a line an entry, with what is wrong and without when. */
export function createPlainLog(level: LogLevel): Log {
  return createLog('gatehouse', level, {
    write: (line) => {
      const { level: name, msg, err, time: _time, component: _component, ...fields } = JSON.parse(line);
      const what = err ? [err.message, err.hint] : Object.entries(fields).map((field) => field.join(' '));
      say(name, `${msg}: ${what.filter(Boolean).join('. ')}`);
    },
  });
}
