import { describe, expect, it } from 'vitest';
import { jarPackages } from './jar-identity.ts';
import type { Pom } from './jar-pom.ts';

function names(
  hint: string,
  manifest: Readonly<Record<string, string>> = {},
  poms: readonly string[] = [],
): readonly string[] {
  const parsed = poms.map((pom): Pom => {
    const [group = '', artifact = '', version] = pom.split(':');
    return { group, artifact, version };
  });
  const attributes = Object.entries(manifest).map(([key, value]) => [key.toLowerCase(), value] as const);
  const found = jarPackages({ hint, manifest: new Map(attributes), poms: parsed });
  return found.map(({ name, version }) => `${name} ${version}`);
}

describe('the packages in a Java archive', () => {
  it('are the one artifact of which Maven speaks, whatever the file is called', () => {
    expect(names('app.jar', {}, ['org.example:lib:1.0'])).toEqual(['org.example:lib 1.0']);
    expect(names('other-2.0.jar', {}, ['org.example:lib:1.0'])).toEqual(['org.example:lib 1.0']);
  });

  it('are all artifacts of which Maven speaks where several were put together', () => {
    expect(names('main-1.0.jar', {}, ['org.example:main:1.0', 'org.example:lib:2.0'])).toEqual([
      'org.example:main 1.0',
      'org.example:lib 2.0',
    ]);
  });

  it('are the archive as well where none of those is the archive', () => {
    expect(names('main-1.0.jar', {}, ['org.example:a:1.0', 'org.example:b:2.0'])).toEqual([
      'org.example:a 1.0',
      'org.example:b 2.0',
      'main 1.0',
    ]);
  });

  it('get the version of the file or the manifest where Maven leaves it open', () => {
    expect(names('lib-1.0.jar', {}, ['org.example:lib'])).toEqual(['org.example:lib 1.0']);
    const manifest = { 'Implementation-Title': 'lib', 'Implementation-Version': '1.1' };
    expect(names('app.jar', manifest, ['org.example:lib'])).toEqual(['org.example:lib 1.1']);
    expect(names('app-1.0.jar', {}, ['org.example:lib'])).toEqual(['app 1.0']);
  });

  it('are the archive as Quarkus names it, even if Maven speaks of one other artifact in it', () => {
    const hint = 'boot/org.jboss.byteman.byteman-4.0.20.jar';
    expect(names(hint, {}, ['org.jboss.byteman:byteman-agent:4.0.20'])).toEqual([
      'org.jboss.byteman:byteman-agent 4.0.20',
      'org.jboss.byteman:byteman 4.0.20',
    ]);
    expect(
      names('main/io.netty.netty-common-4.1.94.Final.jar', {}, ['io.netty:netty-common:4.1.94.Final']),
    ).toEqual(['io.netty:netty-common 4.1.94.Final']);
  });

  it('are not told from a folder that only looks like one of Quarkus', () => {
    const pom = 'org.apache.karaf:org.apache.karaf.main:4.4.0';
    expect(names('boot/org.apache.karaf.main-4.4.0.jar', {}, [pom])).toEqual([
      'org.apache.karaf:org.apache.karaf.main 4.4.0',
    ]);
  });

  it.each<[string, Readonly<Record<string, string>>, string]>([
    ['lib-1.0.jar', {}, 'lib 1.0'],
    [
      'spring-core-5.3.20.jar',
      { 'Implementation-Title': 'spring-core' },
      'org.springframework:spring-core 5.3.20',
    ],
    ['h2-1.4.200.jar', { 'Bundle-SymbolicName': 'com.h2database' }, 'com.h2database:h2 1.4.200'],
    ['lib-1.0.jar', { 'Implementation-Vendor-Id': 'org.example' }, 'org.example:lib 1.0'],
    ['lib-1.0.jar', { 'Implementation-Vendor-Id': 'The Example Project' }, 'lib 1.0'],
    ['junit-4.13.2.jar', { 'Implementation-Vendor-Id': 'junit' }, 'junit:junit 4.13.2'],
    ['lib-1.0.jar', { 'Bundle-SymbolicName': 'org.example.lib;singleton:=true' }, 'org.example:lib 1.0'],
    ['lib-1.0.jar', { 'Implementation-Title': 'org.example#lib;1.0' }, 'org.example:lib 1.0'],
    [
      'git.hpi',
      { 'Group-Id': 'org.jenkins-ci.plugins', 'Short-Name': 'git', 'Plugin-Version': '4.10.0' },
      'org.jenkins-ci.plugins:git 4.10.0',
    ],
    [
      'catalina.jar',
      { 'Implementation-Title': 'Apache Tomcat', 'Implementation-Version': '9.0.54' },
      'org.apache.tomcat:tomcat-catalina 9.0.54',
    ],
    [
      'el-api.jar',
      { 'Bundle-SymbolicName': 'org.apache.tomcat-el-api', 'Bundle-Version': '9.0.60' },
      'org.apache.tomcat:tomcat-el-api 9.0.60',
    ],
    [
      'tomcat-jdbc.jar',
      { 'Bundle-SymbolicName': 'org.apache.tomcat.jdbc', 'Bundle-Version': '9.0.60' },
      'org.apache.tomcat:tomcat-jdbc 9.0.60',
    ],
    ['catalina-tribes.jar', { 'Implementation-Version': '8.5.0' }, 'org.apache.tomcat:tomcat-tribes 8.5.0'],
    [
      'org.apache.servicemix.specs.jaxb-api-2.2-2.9.0.jar',
      { 'Bundle-SymbolicName': 'org.apache.servicemix.specs.jaxb-api-2.2', 'Bundle-Version': '2.9.0' },
      'org.apache.servicemix.specs.jaxb-api-2.2 2.9.0',
    ],
    ['main/com.h2database.h2-2.2.220.jar', {}, 'com.h2database:h2 2.2.220'],
    ['x.jar', { 'Implementation-Title': 'my-app', 'Implementation-Version': '1.0' }, 'my-app 1.0'],
    ['x.jar', { 'Implementation-Title': 'My App', 'Bundle-Version': '1.0' }, 'x 1.0'],
  ])('are told of %s from %j', (baseName, manifest, expected) => {
    expect(names(baseName, manifest)).toEqual([expected]);
  });

  it('are not told from a manifest about another version, left over from what was put in first', () => {
    const manifest = { 'Implementation-Vendor-Id': 'org.other', 'Implementation-Version': '3.7' };
    expect(names('lib-1.0.jar', manifest)).toEqual(['lib 1.0']);
    expect(names('lib-3.0.7.jar', manifest)).toEqual(['lib 3.0.7']);
    expect(names('lib-3.7.0.jar', manifest)).toEqual(['org.other:lib 3.7.0']);
  });

  it.each<[string, Readonly<Record<string, string>>]>([
    ['app.jar', {}],
    ['app.jar', { 'Implementation-Version': 'unspecified' }],
    ['spring-4.0.0.jar', { 'Weave-Classes': 'a.B' }],
  ])('are none in %s with %j', (baseName, manifest) => {
    expect(names(baseName, manifest)).toEqual([]);
  });
});
