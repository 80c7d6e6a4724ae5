import { describe, expect, it } from 'vitest';
import { toRpmPackage } from './rpm-package.ts';

const bash = {
  name: 'bash',
  epoch: undefined,
  version: '5.1.8-6.el9',
  arch: 'x86_64',
  sourceRpm: 'bash-5.1.8-6.el9.src.rpm',
  module: undefined,
};

describe('a package of RPM', () => {
  it('has the name and the version of its source', () => {
    expect(toRpmPackage(bash)).toEqual({
      type: 'rpm',
      name: 'bash',
      version: '5.1.8-6.el9',
      arch: 'x86_64',
      source: { name: 'bash', version: '5.1.8-6.el9' },
    });
  });

  it('has its epoch before its version and that of its source, unless it is 0', () => {
    expect(toRpmPackage({ ...bash, epoch: '2' })).toMatchObject({
      version: '2:5.1.8-6.el9',
      source: { version: '2:5.1.8-6.el9' },
    });
    for (const epoch of ['0', '', '(none)']) {
      expect(toRpmPackage({ ...bash, epoch })).toMatchObject({ version: '5.1.8-6.el9' });
    }
  });

  it.each([
    ['python-dateutil-2.8.1-7.el9.src.rpm', { name: 'python-dateutil', version: '2.8.1-7.el9' }],
    ['java-1.8.0-ibm-1.8.0.8.5-1.el8.nosrc.rpm', { name: 'java-1.8.0-ibm', version: '1.8.0.8.5-1.el8' }],
    ['a-1-2.x86_64.rpm', undefined],
    ['a-1.src.rpm', undefined],
    ['-1-2.src.rpm', undefined],
    ['.src.rpm', undefined],
    ['(none)', undefined],
  ])('built from %s has the source %j', (sourceRpm, source) => {
    expect(toRpmPackage({ ...bash, sourceRpm })?.source).toEqual(source);
  });

  it('has what RPM says it has not as absent', () => {
    const found = toRpmPackage({ ...bash, arch: '(none)', sourceRpm: '', module: '' });
    expect(found).toEqual({ type: 'rpm', name: 'bash', version: '5.1.8-6.el9' });
  });

  it('is no key for signatures', () => {
    expect(toRpmPackage({ ...bash, name: 'gpg-pubkey' })).toBeUndefined();
  });
});
