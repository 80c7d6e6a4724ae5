import { describe, expect, it } from 'vitest';
import { fileOf } from '../testing/files.ts';
import { jvm } from './jvm.ts';

describe('the cataloger of Java runtimes', () => {
  it.each([
    ['opt/java/openjdk/release', 1500, true],
    ['opt/java/openjdk/release', 1_000_000, false],
    ['opt/app/release.txt', 1500, false],
    ['opt/app/my-release', 1500, false],
  ])('says of %s of %i bytes: %s', (path, size, expected) => {
    expect(jvm.matches(path, { size, mode: 0o644 })).toBe(expected);
  });

  it.each([
    [
      'IMPLEMENTOR="Debian"\nJAVA_RUNTIME_VERSION="17.0.15+6"\nJAVA_VERSION="17.0.15"\nOS_ARCH="x86_64"\n',
      '17.0.15',
    ],
    ['JAVA_VERSION="1.8.0_411"\r\nOS_NAME="Linux"\r\n', '1.8.0_411'],
    ['JAVA_VERSION="21"\nMODULES="java.base"', '21'],
  ])('reads %j', (text, version) => {
    expect(jvm.catalog(fileOf(text))).toEqual({ packages: [{ type: 'generic', name: 'openjdk', version }] });
  });

  it.each(['', '1.2.3\n', 'VERSION="1"\n', 'JAVA_VERSION=""\n'])('has nothing to say of %j', (text) => {
    expect(jvm.catalog(fileOf(text))).toBeUndefined();
  });
});
