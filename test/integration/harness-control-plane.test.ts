import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ControlPlane, startControlPlane } from '../harness/control-plane.ts';
import { eventually } from '../harness/wait.ts';

let plain: ControlPlane;
let complete: ControlPlane;

beforeAll(async () => {
  [plain, complete] = await Promise.all([startControlPlane(), startControlPlane({ controllers: true })]);
});

afterAll(() => Promise.all([plain, complete].map((plane) => plane[Symbol.asyncDispose]())));

const deployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: {
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: { containers: [{ name: 'main', image: 'gatehouse.test/web:1' }] },
    },
  },
};

it('serves a Kubernetes API, each control plane its own', async () => {
  await plain.apply([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'only-here' } }]);
  expect((await plain.kubectl(['get', 'namespace', 'only-here'])).code).toBe(0);
  expect((await complete.kubectl(['get', 'namespace', 'only-here'])).stderr).toContain('NotFound');
});

it('lets a user do what its groups may, and no more', async () => {
  const jane = await plain.kubeconfigFor({ user: 'jane', groups: ['developers', 'on/call'] });
  const { stdout } = await plain.kubectl(['--kubeconfig', jane, 'auth', 'whoami', '-o', 'json']);
  expect(JSON.parse(stdout).status.userInfo).toMatchObject({
    username: 'jane',
    groups: ['developers', 'on/call', 'system:authenticated'],
  });
  expect((await plain.kubectl(['--kubeconfig', jane, 'get', 'nodes'])).stderr).toContain('Forbidden');
});

it('issues tokens whose issuer tells its keys', async () => {
  const { stdout: token } = await complete.kubectl(['create', 'token', 'default', '--audience', 'gatehouse']);
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
  expect(claims).toMatchObject({ iss: complete.address, aud: ['gatehouse'] });
  const { stdout: discovery } = await complete.kubectl(['get', '--raw', '/.well-known/openid-configuration']);
  expect(JSON.parse(discovery).issuer).toBe(complete.address);
});

it('makes pods for a deployment where controllers run', async () => {
  await complete.apply([deployment]);
  const pods = async (): Promise<void> => {
    const { stdout } = await complete.kubectl(['get', 'pods', '-l', 'app=web', '-o', 'name']);
    expect(stdout).toMatch(/^pod\/web-/);
  };
  await eventually(pods, { what: 'the controllers to make a pod' });
});

it('notes each request in the audit log', async () => {
  expect(await readFile(plain.auditLog, 'utf8')).toContain('"username":"jane"');
});
