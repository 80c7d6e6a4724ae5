import { mkdtempDisposable, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ensureLocalCertificates,
  fileCertificate,
  grpcCertificates,
  type LocalCertificate,
} from '@gatehouse/certs';
import { noLog } from '@gatehouse/lib/log.ts';
import { Client, credentials, experimental, Server, status } from '@grpc/grpc-js';
import { expect, it } from 'vitest';
import { eventually } from '../harness/wait.ts';

const path = '/test.Echo/Say';
const toBytes = (text: string): Buffer => Buffer.from(text);
const toText = (bytes: Buffer): string => bytes.toString();

async function startEcho(
  provider: ReturnType<typeof grpcCertificates>,
): Promise<{ server: Server; port: number }> {
  const server = new Server();
  const say = {
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: toBytes,
    requestDeserialize: toText,
    responseSerialize: toBytes,
    responseDeserialize: toText,
  };
  server.addService(
    { say },
    {
      say: (call: { request: string }, answer: (error: null, text: string) => void) =>
        answer(null, call.request),
    },
  );
  const serverCredentials = experimental.createCertificateProviderServerCredentials(provider, null, false);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('localhost:0', serverCredentials, (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return { server, port };
}

function connect(port: number, ca: Buffer): Client {
  return new Client(`localhost:${port}`, credentials.createSsl(ca));
}

function say(client: Client, text: string): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const deadline = Date.now() + 5_000;
    client.makeUnaryRequest(path, toBytes, toText, text, { deadline }, (error, answer) =>
      error ? reject(error) : resolve(answer),
    );
  });
}

it('a gRPC server changes its certificate; who is connected stays so, who comes gets the new one', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'gatehouse-certs-'));
  const at = (...names: string[]): string => join(folder.path, ...names);
  await using old: LocalCertificate = await ensureLocalCertificates(at('old'), ['localhost'], noLog);
  await using young: LocalCertificate = await ensureLocalCertificates(at('young'), ['localhost'], noLog);
  const present = async ({ cert, key }: { cert: string; key: string }): Promise<void> => {
    await writeFile(at('tls.crt'), cert);
    await writeFile(at('tls.key'), key);
  };
  await present(old.current());
  await using serving = await fileCertificate(at('tls.crt'), at('tls.key'), noLog);
  const { server, port } = await startEcho(grpcCertificates(serving));
  const [ofOld, ofYoung] = await Promise.all([readFile(old.bundleFile), readFile(young.bundleFile)]);
  const before = connect(port, ofOld);
  const after = connect(port, ofYoung);
  try {
    expect(await say(before, 'one')).toBe('one');
    await expect(say(after, 'two')).rejects.toMatchObject({ code: status.UNAVAILABLE });
    await present(young.current());
    await eventually(async () => expect(await say(after, 'three')).toBe('three'), {
      what: 'the new certificate',
    });
    expect(await say(before, 'four')).toBe('four');
    const late = connect(port, ofOld);
    await expect(say(late, 'five')).rejects.toMatchObject({ code: status.UNAVAILABLE });
    late.close();
  } finally {
    before.close();
    after.close();
    server.forceShutdown();
  }
});
