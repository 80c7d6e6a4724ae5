import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ComponentSpec } from './component.ts';
import { HarnessError } from './errors.ts';
import { runOk } from './process.ts';
import { need } from './tools.ts';

export interface RuntimeOptions {
  /** 2.4, unless told; 1.6 is Debian 12's and knows no image volumes. */
  readonly containerd?: keyof typeof configs;
  /** Drops compressed layers once they are unpacked, as some vendors have it; containerd's default is to keep them. */
  readonly discardUnpackedLayers?: boolean;
  /** How layers lie: overlayfs, unless told, has a folder for each; native, one for each chain of layers. */
  readonly snapshotter?: 'overlayfs' | 'native';
}

interface Config {
  readonly discard: boolean;
  readonly snapshotter: string;
  readonly registries: string;
  readonly runc: string;
  readonly cniPlugins: string;
  readonly cniConfig: string;
}

/** No network has it; each cluster has it loaded. */
export const PAUSE_IMAGE = 'gatehouse.test/pause:1';

/**
 * Lowering a score below its own, as pods of the system ask for, is refused to a root without CAP_SYS_RESOURCE. And a
 * profile of AppArmor would stay in the kernel when the cluster is gone.
 */
const WITHIN_LIMITS = `restrict_oom_score_adj = true
      disable_apparmor = true`;

const configs = {
  '2.4': (config: Config): string => `
    version = 3
    imports = []
    [plugins.'io.containerd.metadata.v1.bolt']
      no_sync = true
    [plugins.'io.containerd.cri.v1.images']
      discard_unpacked_layers = ${config.discard}
      snapshotter = '${config.snapshotter}'
    [plugins.'io.containerd.cri.v1.images'.pinned_images]
      sandbox = '${PAUSE_IMAGE}'
    [plugins.'io.containerd.cri.v1.images'.registry]
      config_path = '${config.registries}'
    [plugins.'io.containerd.cri.v1.runtime']
      ${WITHIN_LIMITS}
    [plugins.'io.containerd.cri.v1.runtime'.cni]
      bin_dirs = ['${config.cniPlugins}']
      conf_dir = '${config.cniConfig}'
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
      runtime_type = 'io.containerd.runc.v2'
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
      BinaryName = '${config.runc}'
  `,
  '1.6': (config: Config): string => `
    version = 2
    [plugins.'io.containerd.grpc.v1.cri']
      sandbox_image = '${PAUSE_IMAGE}'
      ${WITHIN_LIMITS}
    [plugins.'io.containerd.grpc.v1.cri'.registry]
      config_path = '${config.registries}'
    [plugins.'io.containerd.grpc.v1.cri'.cni]
      bin_dir = '${config.cniPlugins}'
      conf_dir = '${config.cniConfig}'
    [plugins.'io.containerd.grpc.v1.cri'.containerd]
      discard_unpacked_layers = ${config.discard}
      snapshotter = '${config.snapshotter}'
    [plugins.'io.containerd.grpc.v1.cri'.containerd.runtimes.runc]
      runtime_type = 'io.containerd.runc.v2'
    [plugins.'io.containerd.grpc.v1.cri'.containerd.runtimes.runc.options]
      BinaryName = '${config.runc}'
  `,
} as const;

/** The folder of the programs of the version that the options name. */
export async function findContainerd({ containerd = '2.4' }: RuntimeOptions): Promise<string> {
  if (containerd === '2.4') return (await need('containerd')).containerd;
  const { 'containerd-1.6': programs } = await need('containerd-1.6');
  const version = await runOk([path.join(programs, 'containerd'), '--version']);
  if (version.includes(' 1.6.')) return programs;
  throw new HarnessError('tool_missing', `containerd 1.6 is not to be had here, but ${version.trim()}`, {
    hint: 'Of the releases of Debian, 12 has it.',
  });
}

/** What makes an imported image lie on the node as a pulled one would. The ctr of 1.6 cannot drop layers. */
export const importFlags = ({
  containerd = '2.4',
  discardUnpackedLayers,
  snapshotter,
}: RuntimeOptions): readonly string[] => {
  const discard = discardUnpackedLayers && containerd !== '1.6' ? ['--discard-unpacked-layers'] : [];
  const flags = [...discard, ...(snapshotter ? ['--snapshotter', snapshotter] : [])];
  // The other way of importing takes neither.
  return flags.length > 0 && containerd !== '1.6' ? ['--local', ...flags] : flags;
};

/** A folder with one for each registry, named as it is, whose `hosts.toml` says how containerd reaches it. */
export const registriesOf = (folder: string): string => path.join(folder, 'registries');

/** Point to point, so that traffic between two pods, too, passes the rules of kube-proxy, without a module of the kernel. */
const podNetwork = (pods: string): object => ({
  cniVersion: '1.0.0',
  name: 'pods',
  plugins: [
    {
      type: 'ptp',
      ipam: { type: 'host-local', ranges: [[{ subnet: pods }]], routes: [{ dst: '0.0.0.0/0' }] },
    },
  ],
});

/** Writes what containerd reads to `folder`. `programs` is the folder of containerd, ctr and the shim. */
export async function containerdSpec(options: {
  readonly folder: string;
  readonly programs: string;
  readonly runc: string;
  readonly cniPlugins: string;
  readonly pods: string;
  readonly runtime: RuntimeOptions;
  readonly ready: () => Promise<unknown>;
}): Promise<ComponentSpec> {
  const { folder, runtime } = options;
  const file = path.join(folder, 'containerd.toml');
  const cniConfig = path.join(folder, 'cni');
  await Promise.all([mkdir(cniConfig), mkdir(registriesOf(folder))]);
  await writeFile(path.join(cniConfig, 'pods.conflist'), JSON.stringify(podNetwork(options.pods)));
  const config = {
    discard: runtime.discardUnpackedLayers ?? false,
    snapshotter: runtime.snapshotter ?? 'overlayfs',
    registries: registriesOf(folder),
    runc: options.runc,
    cniPlugins: options.cniPlugins,
    cniConfig,
  };
  await writeFile(file, configs[runtime.containerd ?? '2.4'](config));
  return {
    name: 'containerd',
    argv: [path.join(options.programs, 'containerd'), '--config', file],
    ready: options.ready,
  };
}
