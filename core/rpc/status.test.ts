import { noLog } from '@gatehouse/lib/log.ts';
import { status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { CoreError } from '../errors.ts';
import { toStatus } from './status.ts';

const failure = (message: string, code?: string) => Object.assign(new Error(message), code && { code });

describe('what a caller is told of a failure', () => {
  it.each([
    ['a refused connection', failure('connect ECONNREFUSED 127.0.0.1:5432', 'ECONNREFUSED')],
    ['a connection that broke', failure('Connection terminated unexpectedly')],
    ['no connection in time', failure('timeout exceeded when trying to connect')],
    ['a store that shuts down', failure('terminating connection', '57P01')],
    ['a store that starts', failure('the database system is starting up', '57P03')],
    ['too many connections', failure('sorry, too many clients already', '53300')],
    ['a lost connection', failure('connection failure', '08006')],
    ['a deadlock', failure('deadlock detected', '40P01')],
  ])('is that it may try again after %s', (_what, error) => {
    expect(toStatus(error, noLog).code).toBe(status.UNAVAILABLE);
  });

  it.each([
    ['a value that is too long', failure('value too long', '22001')],
    ['a row that is too large', failure('index row size exceeds the most', '54000')],
    ['a mistake of ours', new TypeError('undefined is not a function')],
    ['what is no error', 'no'],
  ])('is that the same will fail again after %s', (_what, error) => {
    const told = toStatus(error, noLog);
    expect(told).toEqual({ code: status.INTERNAL, details: 'the core cannot do this now; its log says why' });
  });

  it('is the whole of an error of ours', () => {
    expect(toStatus(new CoreError('busy', 'wait'), noLog)).toEqual({
      code: status.RESOURCE_EXHAUSTED,
      details: 'wait',
    });
  });
});
