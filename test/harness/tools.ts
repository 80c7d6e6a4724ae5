import path from 'node:path';
import { installPackage, unpackPackage } from './debian.ts';
import { buildPrograms, findGo, type GoBuild } from './go-build.ts';

/** Each gives the path of the program, having put it there if it was missing. */
type Source = (name: string) => Promise<string>;

/**
 * A program that stands alone is taken out of its Debian package into the cache: nothing is installed, no service
 * starts, and what Docker brought to the machine (its runc and containerd exclude Debian's) stays.
 */
const unpacked =
  (debianPackage: string, file: string): Source =>
  () =>
    unpackPackage(debianPackage, file);

/** A program that belongs to the system: used if it is there, else installed. */
const installed =
  (debianPackage: string, file?: string): Source =>
  (name) =>
    installPackage(file ?? name, debianPackage);

const built =
  (file: string, build: GoBuild): Source =>
  async () =>
    path.join(await buildPrograms(build), file);

const kubernetes = '1.34.4';
const kubernetesVersion = 'k8s.io/component-base/version';

const tools = {
  etcd: unpacked('etcd-server', 'usr/bin/etcd'),
  runc: unpacked('runc', 'usr/sbin/runc'),
  busybox: unpacked('busybox-static', 'bin/busybox'),
  /** The folder of the CNI plugins. */
  cni: unpacked('containernetworking-plugins', 'usr/lib/cni'),
  /** The folder of containerd, its shim and ctr as Debian 12 has them: 1.6, which many nodes still run. */
  'containerd-1.6': unpacked('containerd', 'usr/bin'),
  dockerd: unpacked('docker.io', 'usr/sbin/dockerd'),
  /** Docker 29, which keeps images in containerd. */
  'dockerd-29': built('dockerd', {
    name: 'dockerd',
    version: 'v2.0.0-beta.24',
    usually: '2 min',
    from: { packages: ['github.com/moby/moby/v2/cmd/dockerd'] },
    tags: 'exclude_graphdriver_btrfs no_btrfs',
  }),
  /** The folder of a library that dockerd is linked with, and that small installations lack. */
  libdevmapper: unpacked('libdevmapper1.02.1', 'lib'),
  /** The folder of dpkg's own library for Perl. */
  'dpkg-perl': unpacked('libdpkg-perl', 'usr/share/perl5'),
  'docker-registry': unpacked('docker-registry', 'usr/bin/docker-registry'),
  curl: installed('curl'),
  pgrep: installed('procps'),
  openssl: installed('openssl'),
  ip: installed('iproute2'),
  iptables: installed('iptables'),
  objcopy: installed('binutils'),
  buildah: installed('buildah'),
  podman: installed('podman'),
  skopeo: installed('skopeo'),
  mmdebstrap: installed('mmdebstrap'),
  wrk: installed('wrk'),
  /** Brings the python3 that it belongs to along. */
  pip: installed('python3-pip'),
  /** Brings rpmbuild along. */
  rpm: installed('rpm'),
  /** Brings the ruby that it belongs to along. */
  gem: installed('ruby'),
  /** Brings the php that it belongs to along. */
  composer: installed('composer'),
  mvn: installed('maven'),
  go: findGo,
  'postgres-15': installed('postgresql-15', '/usr/lib/postgresql/15/bin/postgres'),
  kube: built('kube', {
    name: 'kube',
    version: kubernetes,
    usually: '4 min',
    from: { folder: 'kube' },
    variables: {
      [`${kubernetesVersion}.gitVersion`]: `v${kubernetes}`,
      [`${kubernetesVersion}.gitMajor`]: '1',
      [`${kubernetesVersion}.gitMinor`]: '34',
    },
  }),
  dns: built('dns', { name: 'dns', version: '1.15.0', usually: '1 min', from: { folder: 'dns' } }),
  /** Installs packages of apk's, as Chainguard's apko does. */
  apk: built('apk', { name: 'apk', version: '0.30.0', usually: '90 s', from: { folder: 'apk' } }),
  nfpm: built('nfpm', {
    name: 'nfpm',
    version: 'v2.41.0',
    usually: '1 min',
    from: { packages: ['github.com/goreleaser/nfpm/v2/cmd/nfpm'] },
  }),
  /** The folder of containerd, its shim and ctr. */
  containerd: built('', {
    name: 'containerd',
    version: 'v2.4.2',
    usually: '65 s',
    from: {
      packages: ['containerd', 'containerd-shim-runc-v2', 'ctr'].map(
        (command) => `github.com/containerd/containerd/v2/cmd/${command}`,
      ),
    },
    // The snapshotter for btrfs would need headers of C, and no test uses it.
    tags: 'no_btrfs',
  }),
  opa: built('opa', {
    name: 'opa',
    version: 'v1.22.2',
    usually: '100 s',
    from: { packages: ['github.com/open-policy-agent/opa'] },
  }),
  syft: built('syft', {
    name: 'syft',
    version: 'v1.38.0',
    usually: '6 min',
    from: { packages: ['github.com/anchore/syft/cmd/syft'] },
  }),
} as const satisfies Record<string, Source>;

export type ToolName = keyof typeof tools;

/** The paths of the named tools, each fetched or built first where the machine lacks it. */
export async function need<Name extends ToolName>(
  ...names: readonly Name[]
): Promise<Readonly<Record<Name, string>>> {
  const paths: Partial<Record<Name, string>> = {};
  // One after the other: builds and installations each want the whole machine.
  for (const name of names) paths[name] = await tools[name](name);
  return paths as Record<Name, string>;
}
