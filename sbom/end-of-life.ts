import type { OsRelease } from './os-release.ts';

/**
 * The last day on which a release of an operating system gets corrections for security from those who make it, without
 * a contract of its own, so that its advisories say all that there is to say. As their makers announced it; a release
 * whose end is announced by its year or season only is left out, and rolling distributions have none.
 */
const ends: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  // https://almalinux.org/ ("What is the support lifecycle") and https://wiki.almalinux.org/release-notes/
  almalinux: { '8': '2029-03-01', '9': '2032-05-31', '10': '2035-05-31' },
  // https://alpinelinux.org/releases/
  alpine: {
    '3.10': '2021-05-01',
    '3.11': '2021-11-01',
    '3.12': '2022-05-01',
    '3.13': '2022-11-01',
    '3.14': '2023-05-01',
    '3.15': '2023-11-01',
    '3.16': '2024-05-23',
    '3.17': '2024-11-22',
    '3.18': '2025-05-09',
    '3.19': '2025-11-01',
    '3.20': '2026-04-01',
    '3.21': '2026-11-01',
    '3.22': '2027-05-01',
    '3.23': '2027-11-01',
  },
  // https://aws.amazon.com/blogs/aws/update-on-amazon-linux-ami-end-of-life/, https://aws.amazon.com/amazon-linux-2/faqs/
  // and https://docs.aws.amazon.com/linux/al2023/ug/release-cadence.html: the end of maintenance support.
  amzn: { '2018.03': '2023-12-31', '2': '2026-06-30', '2023': '2029-06-30' },
  // https://www.centos.org/centos-linux-eol/ and https://www.centos.org/cl-vs-cs/. Of 8 there were two, which their
  // os-release tells apart by the name only: CentOS Linux ended on 2021-12-31 already, this is CentOS Stream.
  centos: { '6': '2020-11-30', '7': '2024-06-30', '8': '2024-05-31', '9': '2027-05-31' },
  // https://wiki.debian.org/LTS: the end of long-term support by Debian's own LTS team, which takes over from the
  // security team after three years and publishes advisories in the same place. What follows is sold (ELTS).
  debian: {
    '8': '2020-06-30',
    '9': '2022-06-30',
    '10': '2024-06-30',
    '11': '2026-08-31',
    '12': '2028-06-30',
    '13': '2030-06-30',
  },
  // https://docs.fedoraproject.org/en-US/releases/eol/; the end of others moves with the releases after them.
  fedora: {
    '36': '2023-05-16',
    '37': '2023-12-05',
    '38': '2024-05-21',
    '39': '2024-11-26',
    '40': '2025-05-13',
    '41': '2025-12-15',
  },
  // https://learn.microsoft.com/azure/azure-linux/release-cadence-lifecycle
  mariner: { '2.0': '2025-07-31' },
  // https://en.opensuse.org/Lifetime
  'opensuse-leap': {
    '15.0': '2019-12-03',
    '15.1': '2021-02-02',
    '15.2': '2022-01-04',
    '15.3': '2022-12-31',
    '15.4': '2023-12-07',
    '15.5': '2024-12-31',
    '15.6': '2026-04-30',
  },
  // https://access.redhat.com/support/policy/updates/errata: the end of maintenance support; what follows is sold (ELS).
  rhel: {
    '6': '2020-11-30',
    '7': '2024-06-30',
    '8': '2029-05-31',
    '9': '2032-05-31',
    '10': '2035-05-31',
  },
  // https://wiki.rockylinux.org/rocky/version/
  rocky: { '8': '2029-05-31', '9': '2032-05-31', '10': '2035-05-31' },
  // https://www.suse.com/lifecycle: the end of general support of a service pack; what follows is sold (LTSS).
  sles: {
    '12.4': '2020-06-30',
    '12.5': '2024-10-31',
    '15.1': '2021-01-31',
    '15.2': '2021-12-31',
    '15.3': '2022-12-31',
    '15.4': '2023-12-31',
    '15.5': '2024-12-31',
    '15.6': '2025-12-31',
    '15.7': '2031-07-31',
  },
  // https://ubuntu.com/about/release-cycle and https://wiki.ubuntu.com/Releases, the days as in Debian's package
  // distro-info-data: the end of standard support; what follows needs Ubuntu Pro.
  ubuntu: {
    '14.04': '2019-04-25',
    '16.04': '2021-04-30',
    '18.04': '2023-05-31',
    '18.10': '2019-07-18',
    '19.04': '2020-01-23',
    '19.10': '2020-07-17',
    '20.04': '2025-05-29',
    '20.10': '2021-07-22',
    '21.04': '2022-01-20',
    '21.10': '2022-07-14',
    '22.04': '2027-06-01',
    '22.10': '2023-07-20',
    '23.04': '2024-01-25',
    '23.10': '2024-07-11',
    '24.04': '2029-05-31',
    '24.10': '2025-07-10',
    '25.04': '2026-01-15',
    '25.10': '2026-07-09',
    '26.04': '2031-05-29',
  },
};

/** Snapshots of what is to become a release, as in `3.23.0_alpha20250612` of Alpine, are none. */
const RELEASED = /^\d+(\.\d+){0,3}$/;

/**
 * The last day, as YYYY-MM-DD, on which a release of an operating system gets corrections for security from its makers
 * without a further contract; undefined where none is known or there is none. A release is known by its first numbers,
 * such as 3.19 for 3.19.1.
 */
export function endOfLife({ id, versionId }: Pick<OsRelease, 'id' | 'versionId'>): string | undefined {
  const releases = Object.hasOwn(ends, id) ? ends[id] : undefined;
  if (releases === undefined || versionId === undefined || !RELEASED.test(versionId)) return undefined;
  const numbers = versionId.split('.');
  const names = numbers.map((_, index) => numbers.slice(0, numbers.length - index).join('.'));
  const known = names.find((name) => Object.hasOwn(releases, name));
  return known && releases[known];
}
