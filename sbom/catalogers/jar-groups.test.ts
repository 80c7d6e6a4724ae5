import { describe, expect, it } from 'vitest';
import { knownGroup, publishedName } from './jar-groups.ts';

describe('the group of a library that does not say it', () => {
  it.each([
    ['spring-boot-autoconfigure', '2.6.3', 'org.springframework.boot'],
    ['spring-web', '5.3.20', 'org.springframework'],
    ['spring-data-jpa', '2.6.1', undefined],
    ['tomcat-embed-core', '9.0.54', 'org.apache.tomcat.embed'],
    ['groovy', '3.0.9', 'org.codehaus.groovy'],
    ['groovy', '4.0.1', 'org.apache.groovy'],
    ['dom4j', '1.6.1', 'dom4j'],
    ['dom4j', '2.1.3', 'org.dom4j'],
    ['commons-httpclient', '3.1', 'commons-httpclient'],
    ['okhttp', '2.7', undefined],
    ['my-service', '1.0', undefined],
  ])('of %s %s is %s', (artifact, version, group) => {
    expect(knownGroup(artifact, version)).toBe(group);
  });

  it('is that of the published name', () => {
    const files = ['catalina', 'jasper-el', 'catalina-tribes', 'tomcat-jdbc', 'lib'];
    expect(files.map((file) => publishedName(file, undefined))).toEqual([
      'tomcat-catalina',
      'tomcat-jasper-el',
      'tomcat-tribes',
      'tomcat-jdbc',
      undefined,
    ]);
    expect(publishedName('el-api', 'org.apache.tomcat-el-api')).toBe('tomcat-el-api');
  });
});
