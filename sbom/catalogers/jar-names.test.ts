import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { archiveHint, isArchiveName, parseJarName } from './jar-names.ts';

describe('the name of a Java archive', () => {
  it.each([
    ['app/lib/a-1.0.jar', true],
    ['app.WAR', true],
    ['plugins/git.hpi', true],
    ['x.ear', true],
    ['a.jar.sha1', false],
    ['jar', false],
    ['a.class', false],
  ])('is told of %s: %s', (path, expected) => {
    expect(isArchiveName(path)).toBe(expected);
  });

  it.each([
    ['log4j-core-2.14.1.jar', 'log4j-core', '2.14.1'],
    ['log4j-1.2-api-2.17.1.jar', 'log4j-1.2-api', '2.17.1'],
    ['guava-31.1-jre.jar', 'guava', '31.1-jre'],
    ['h2-1.4.200.jar', 'h2', '1.4.200'],
    ['javax.servlet-api-4.0.1.jar', 'javax.servlet-api', '4.0.1'],
    ['kafka_2.13-2.8.0.jar', 'kafka_2.13', '2.8.0'],
    ['jetty-server-9.4.40.v20210413.jar', 'jetty-server', '9.4.40.v20210413'],
    [
      'netty-transport-native-epoll-4.1.50.Final-linux-x86_64.jar',
      'netty-transport-native-epoll',
      '4.1.50.Final',
    ],
    ['app-1.0-SNAPSHOT.war', 'app', '1.0-SNAPSHOT'],
    ['app-1.0-20240102.030405-6.jar', 'app', '1.0-20240102.030405-6'],
    ['log4j-1.2-api-2.17.1-tests.jar', 'log4j-1.2-api', '2.17.1'],
    ['spring-core-6.0.0-RC1.jar', 'spring-core', '6.0.0-RC1'],
    ['tool-v1.2.jar', 'tool', '1.2'],
    ['app.jar', 'app', undefined],
    ['jul-to-slf4j.jar', 'jul-to-slf4j', undefined],
    ['1.0.jar', '1.0', undefined],
    ['.jar', '', undefined],
  ])('%s is %s in the version %s', (name, artifact, version) => {
    expect(parseJarName(name)).toEqual({ artifact, version });
  });

  it.each([
    ['opt/app/lib/a-1.0.jar', 'a-1.0.jar'],
    ['a-1.0.jar', 'a-1.0.jar'],
    [
      'quarkus-app/lib/main/io.netty.netty-common-4.1.94.Final.jar',
      'main/io.netty.netty-common-4.1.94.Final.jar',
    ],
    ['lib/main/sub/a-1.0.jar', 'a-1.0.jar'],
  ])('is taken of the path %s as %s', (path, expected) => {
    expect(archiveHint(path)).toBe(expected);
  });

  it.each([
    ['io.netty.netty-common-4.1.94.Final.jar', 'io.netty', 'netty-common'],
    ['org.postgresql.postgresql-42.6.0.jar', 'org.postgresql', 'postgresql'],
    ['org.eclipse.sisu.org.eclipse.sisu.inject-0.3.5.jar', 'org.eclipse.sisu', 'org.eclipse.sisu.inject'],
    ['org.osgi.osgi.core-8.0.0.jar', 'org.osgi', 'osgi.core'],
    ['mysql.mysql-connector-java-8.0.30.jar', 'mysql', 'mysql-connector-java'],
    ['plain-1.0.jar', undefined, 'plain'],
  ])('%s in the folder of an application of Quarkus is of %s, %s', (name, group, artifact) => {
    expect(parseJarName(`main/${name}`)).toMatchObject(group ? { group, artifact } : { artifact });
  });

  it('gives back what was put together of a plain name and a plain version', () => {
    const artifact = fc.stringMatching(/^[a-z]{2,8}(-[a-z]{7,9})?$/);
    const version = fc.stringMatching(/^\d{1,3}(\.\d{1,3}){1,3}(-SNAPSHOT)?$/);
    fc.assert(
      fc.property(artifact, version, (one, other) => {
        fc.pre(!/snapshot|release|incubating|android|redhat|hadoop|alpha|beta/.test(one));
        expect(parseJarName(`${one}-${other}.jar`)).toEqual({ artifact: one, version: other });
      }),
    );
  });
});
