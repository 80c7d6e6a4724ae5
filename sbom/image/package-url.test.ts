import { describe, expect, it } from 'vitest';
import type { OsRelease } from '../os-release.ts';
import type { Package } from '../package.ts';
import { packageUrl } from './package-url.ts';

const debian = { id: 'debian', versionId: '12' };
const deb = { type: 'deb', name: 'openssl', version: '3.0.11-1~deb12u2', arch: 'amd64' } as const;

describe('a package URL', () => {
  it.each<[string, Package, OsRelease?]>([
    ['pkg:deb/debian/openssl@3.0.11-1~deb12u2?arch=amd64&distro=debian-12', deb],
    [
      'pkg:deb/debian/login@1:4.13%2Bdfsg1-1%2Bb1?arch=amd64&distro=debian-12&upstream=shadow%401:4.13%2Bdfsg1-1',
      {
        ...deb,
        name: 'login',
        version: '1:4.13+dfsg1-1+b1',
        source: { name: 'shadow', version: '1:4.13+dfsg1-1' },
      },
    ],
    [
      'pkg:deb/debian/libssl3@3.0.11-1~deb12u2?arch=amd64&distro=debian-12&upstream=openssl',
      { ...deb, name: 'libssl3', source: { name: 'openssl', version: deb.version } },
    ],
    [
      'pkg:apk/alpine/libcrypto3@3.1.4-r5?arch=x86_64&distro=alpine-3.19.1&upstream=openssl',
      {
        type: 'apk',
        name: 'libcrypto3',
        version: '3.1.4-r5',
        arch: 'x86_64',
        source: { name: 'openssl', version: '3.1.4-r5' },
      },
      { id: 'alpine', versionId: '3.19.1' },
    ],
    [
      'pkg:rpm/rocky/bind-libs@9.16.23-1.el9?arch=x86_64&distro=rocky-9.3&epoch=32&rpmmod=m:1:2:3&upstream=bind',
      {
        type: 'rpm',
        name: 'bind-libs',
        version: '32:9.16.23-1.el9',
        arch: 'x86_64',
        source: { name: 'bind', version: '32:9.16.23-1.el9' },
        module: 'm:1:2:3',
      },
      { id: 'rocky', versionId: '9.3' },
    ],
    [
      'pkg:rpm/rocky/bash@5.1.8-6.el9?distro=rocky-9.3',
      { type: 'rpm', name: 'bash', version: '5.1.8-6.el9' },
      { id: 'rocky', versionId: '9.3' },
    ],
    [
      'pkg:rpm/redhat/bash@5.1.8-6.el9?distro=rhel-9.3',
      { type: 'rpm', name: 'bash', version: '5.1.8-6.el9' },
      { id: 'rhel', versionId: '9.3' },
    ],
    [
      'pkg:rpm/opensuse/bash@4.4-150400.27.3.2?distro=opensuse-leap-15.6',
      { type: 'rpm', name: 'bash', version: '4.4-150400.27.3.2' },
      { id: 'opensuse-leap', versionId: '15.6' },
    ],
    ['pkg:npm/%40scope/name@1', { type: 'npm', name: '@scope/name', version: '1' }],
    ['pkg:npm/JSONStream@1.3.5', { type: 'npm', name: 'JSONStream', version: '1.3.5' }],
    ['pkg:pypi/jinja2@2.4', { type: 'pypi', name: 'Jinja2', version: '2.4' }],
    ['pkg:pypi/zope-interface@6.0', { type: 'pypi', name: 'zope._-Interface', version: '6.0' }],
    ['pkg:golang/golang.org/x/text@v0.3.5', { type: 'golang', name: 'golang.org/x/text', version: 'v0.3.5' }],
    [
      'pkg:golang/github.com/docker/docker@v20.10.7%2Bincompatible',
      { type: 'golang', name: 'github.com/docker/docker', version: 'v20.10.7+incompatible' },
    ],
    ['pkg:golang/stdlib@1.22.3', { type: 'golang', name: 'stdlib', version: '1.22.3' }],
    [
      'pkg:golang/example.test/tool',
      { type: 'golang', name: 'example.test/tool', version: '(devel)', unreleased: true },
    ],
    [
      'pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1',
      { type: 'maven', name: 'org.apache.logging.log4j:log4j-core', version: '2.14.1' },
    ],
    ['pkg:maven/app@1.0-SNAPSHOT', { type: 'maven', name: 'app', version: '1.0-SNAPSHOT' }],
    ['pkg:nuget/Newtonsoft.Json@13.0.1', { type: 'nuget', name: 'Newtonsoft.Json', version: '13.0.1' }],
    ['pkg:composer/monolog/monolog@2.9.1', { type: 'composer', name: 'monolog/monolog', version: '2.9.1' }],
    ['pkg:gem/rack@2.2.3', { type: 'gem', name: 'rack', version: '2.2.3' }],
    ['pkg:conda/numpy@1.26.4', { type: 'conda', name: 'numpy', version: '1.26.4' }],
    ['pkg:generic/openjdk@1.8.0_411', { type: 'generic', name: 'openjdk', version: '1.8.0_411' }],
    ['pkg:npm/%2Fminimist@1', { type: 'npm', name: '/minimist', version: '1' }],
    ['pkg:npm/a/b%2Fc@1', { type: 'npm', name: 'a/b/c', version: '1' }],
    ['pkg:npm/ms@%28devel%29', { type: 'npm', name: 'ms', version: '(devel)' }],
    ['pkg:golang/a%2F%2Fb@v1', { type: 'golang', name: 'a//b', version: 'v1' }],
    ['pkg:maven/a%2Fb:c@1', { type: 'maven', name: 'a/b:c', version: '1' }],
    ['pkg:maven/:c@1', { type: 'maven', name: ':c', version: '1' }],
    [
      `pkg:deb/debian/openssl@${deb.version}?arch=amd64&distro=debian-12&upstream=a%401%40${deb.version}`,
      { ...deb, source: { name: 'a@1', version: deb.version } },
    ],
    ['pkg:npm/a%2Ab%20%3F%23@1', { type: 'npm', name: 'a*b ?#', version: '1' }],
  ])('is %s', (url, each, os = debian) => {
    expect(packageUrl(each, os)).toBe(url);
  });

  it('leaves out the distribution where none is known, and its version where it has none', () => {
    expect(packageUrl(deb)).toBe('pkg:deb/openssl@3.0.11-1~deb12u2?arch=amd64');
    expect(packageUrl(deb, { id: 'kali' })).toBe(
      'pkg:deb/kali/openssl@3.0.11-1~deb12u2?arch=amd64&distro=kali',
    );
  });
});
