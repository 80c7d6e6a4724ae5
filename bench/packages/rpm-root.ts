import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { runOk } from '../../test/harness/process.ts';
import { need } from '../../test/harness/tools.ts';
import { type DebianPackage, debianPackages } from './debian-packages.ts';

/** The root of a system of RPM: what Debian's packages have in them, built by rpmbuild and installed by rpm. */
export async function makeRpmRoot(debian: string, root: string): Promise<void> {
  const { rpm } = await need('rpm');
  const work = `${root}.work`;
  await mkdir(work, { recursive: true });
  const bySource = Map.groupBy(await debianPackages(debian), ({ source }) => source);
  for (const [source, packages] of bySource) {
    const spec = path.join(work, `${source}.spec`);
    await writeFile(spec, await specOf(source, packages, { debian, work }));
    const defines = ['--define', `_topdir ${work}`, '--define', '_source_payload w0.gzdio'];
    await runOk([path.join(path.dirname(rpm), 'rpmbuild'), '-bb', '--quiet', ...defines, spec]);
  }
  await mkdir(path.join(root, 'etc'), { recursive: true });
  const built = path.join(work, 'RPMS/x86_64');
  const files = (await readdir(built)).map((file) => path.join(built, file));
  const options = ['--root', root, '--dbpath', '/var/lib/rpm', '--nodeps', '--nosignature', '--noscripts'];
  await runOk([rpm, ...options, '--force', '-i', ...files]);
  await writeFile(path.join(root, 'etc/os-release'), OS_RELEASE);
  await rm(work, { recursive: true });
}

const OS_RELEASE = 'NAME="Fedora Linux"\nID=fedora\nVERSION_ID=40\nPRETTY_NAME="Fedora Linux 40"\n';

/** One source package with all that is built of it. The files of each are copied from Debian's root. */
async function specOf(
  source: string,
  packages: readonly DebianPackage[],
  { debian, work }: { debian: string; work: string },
): Promise<string> {
  const list = path.join(work, `${source}.files`);
  await writeFile(list, packages.flatMap(({ files }) => files.map((file) => `${file}\n`)).join(''));
  const [first] = packages;
  return [
    '%global debug_package %{nil}',
    '%global __os_install_post %{nil}',
    '%define _build_id_links none',
    '%define _unpackaged_files_terminate_build 0',
    '%define _binary_payload w1.gzdio',
    `Name: ${source}`,
    // Streams of modules are what some advisories of Red Hat's kin are for.
    ...(source.startsWith('ruby') ? [`ModularityLabel: ${source}:1:20240101:abcdef`] : []),
    ...(first ? header(first) : []),
    'AutoReqProv: no',
    '%description\nwords',
    ...packages.flatMap((each) => (each.name === source ? [] : subpackage(each))),
    '%install',
    `tar -C ${debian} -cf - -T ${list} | tar -C %{buildroot} -xf -`,
    ...packages.flatMap(({ name, files }) => [
      name === source ? '%files' : `%files -n ${name}`,
      ...files.map((file) => `"/${file}"`),
    ]),
    '',
  ].join('\n');
}

function subpackage(each: DebianPackage): readonly string[] {
  return [
    `%package -n ${each.name}`,
    ...header(each),
    'AutoReqProv: no',
    `%description -n ${each.name}\nwords`,
  ];
}

function header({ epoch, version, revision }: DebianPackage): readonly string[] {
  return [
    `Version: ${version.replaceAll('-', '.')}`,
    `Release: ${revision}.fc40`,
    ...(epoch ? [`Epoch: ${epoch}`] : []),
    'Summary: words',
    'License: none',
  ];
}
