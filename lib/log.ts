import { type DestinationStream, type Logger, pino, stdSerializers, stdTimeFunctions } from 'pino';
import { CodedError, toError } from './errors.ts';

export type Log = Logger;

/** Levels in the order of pino; `silent` is for tests that provoke errors. */
export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

/**
 * What may wait to be written. Whoever reads the log may be slow, and decisions do not wait for that: what comes while
 * this much is waiting is dropped.
 */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;

/**
 * One JSON object a line on stderr, so that results on stdout stay clean; written behind the work and at exit. Messages are constant;
 * what varies stands in fields with fixed names (`image`, `layer`, `node`, `err`).
 */
export function createLog(component: string, level: LogLevel, destination?: DestinationStream): Log {
  return pino(
    {
      level,
      base: { component },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: describeError },
    },
    destination ?? pino.destination({ fd: 2, sync: false, maxLength: MAX_WAITING_BYTES }),
  );
}

/** Errors with a code were foreseen: what they say is enough, and where they were thrown would drown it. */
function describeError(thrown: unknown): object {
  const described = stdSerializers.err(toError(thrown));
  if (!(thrown instanceof CodedError)) return described;
  const { stack: _stack, name: _name, ...said } = described;
  return said;
}

/** For code under test and for callers that have no log. */
export const noLog: Log = pino({ level: 'silent' });
