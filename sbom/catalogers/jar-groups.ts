interface Family {
  readonly artifact: RegExp;
  /** Left out where it is named like the artifact. */
  readonly group?: string;
  /** The first major version of which it is true. */
  readonly since?: number;
}

/**
 * Groups of libraries that are often in use, have advisories, and are not built by Maven, so that neither their archives
 * nor these archives' manifests say the group. The first that matches counts.
 */
const families: readonly Family[] = [
  { artifact: /^spring-boot(-|$)/, group: 'org.springframework.boot' },
  { artifact: /^spring-security-/, group: 'org.springframework.security' },
  { artifact: /^spring-session-/, group: 'org.springframework.session' },
  { artifact: /^spring-integration-/, group: 'org.springframework.integration' },
  { artifact: /^spring-batch-/, group: 'org.springframework.batch' },
  { artifact: /^spring-(amqp|rabbit)$/, group: 'org.springframework.amqp' },
  { artifact: /^spring-kafka$/, group: 'org.springframework.kafka' },
  { artifact: /^spring-graphql$/, group: 'org.springframework.graphql' },
  { artifact: /^spring-ldap-core$/, group: 'org.springframework.ldap' },
  {
    artifact:
      /^spring-(aop|aspects|beans|context|context-support|core|expression|jcl|jdbc|jms|messaging|orm|oxm|r2dbc|test|tx|web|webflux|webmvc|websocket)$/,
    group: 'org.springframework',
  },
  { artifact: /^ecj$/, group: 'org.eclipse.jdt' },
  { artifact: /^tomcat-embed-/, group: 'org.apache.tomcat.embed' },
  { artifact: /^tomcat-/, group: 'org.apache.tomcat' },
  { artifact: /^reactor-netty(-|$)/, group: 'io.projectreactor.netty' },
  { artifact: /^grpc-(all|api|core|netty|netty-shaded|okhttp|protobuf|stub|services)$/, group: 'io.grpc' },
  { artifact: /^reactor-core$/, group: 'io.projectreactor' },
  { artifact: /^bc(prov|pkix|util|mail|pg|tls|prov-ext)-/, group: 'org.bouncycastle' },
  { artifact: /^asm(-\w+)?$/, group: 'org.ow2.asm', since: 4 },
  { artifact: /^h2$/, group: 'com.h2database' },
  { artifact: /^hsqldb$/, group: 'org.hsqldb' },
  { artifact: /^derby(client|net|tools)?$/, group: 'org.apache.derby' },
  { artifact: /^postgresql$/, group: 'org.postgresql' },
  { artifact: /^mysql-connector-java$/, group: 'mysql' },
  { artifact: /^mysql-connector-j$/, group: 'com.mysql' },
  { artifact: /^okhttp(-|$)/, group: 'com.squareup.okhttp3', since: 3 },
  { artifact: /^okio(-jvm)?$/, group: 'com.squareup.okio' },
  { artifact: /^kotlin-(stdlib|reflect|compiler)/, group: 'org.jetbrains.kotlin' },
  { artifact: /^kafka(-clients|-streams|_2\.1\d)$/, group: 'org.apache.kafka' },
  { artifact: /^lucene-/, group: 'org.apache.lucene' },
  { artifact: /^solr-(core|solrj)$/, group: 'org.apache.solr' },
  { artifact: /^elasticsearch$/, group: 'org.elasticsearch' },
  { artifact: /^opensearch$/, group: 'org.opensearch' },
  { artifact: /^graphql-java$/, group: 'com.graphql-java' },
  { artifact: /^groovy(-|$)/, group: 'org.apache.groovy', since: 4 },
  { artifact: /^groovy(-|$)/, group: 'org.codehaus.groovy' },
  { artifact: /^ant$/, group: 'org.apache.ant' },
  { artifact: /^ivy$/, group: 'org.apache.ivy' },
  { artifact: /^rhino$/, group: 'org.mozilla' },
  { artifact: /^xercesImpl$/, group: 'xerces' },
  { artifact: /^dom4j$/, group: 'org.dom4j', since: 2 },
  { artifact: /^jdom2?$/, group: 'org.jdom' },
  { artifact: /^c3p0$/, group: 'com.mchange' },
  { artifact: /^(xalan|dom4j|log4j)$/ },
  {
    artifact:
      /^commons-(beanutils|codec|collections|configuration|dbcp|digester|fileupload|httpclient|io|jxpath|lang|logging|net|pool|validator)$/,
  },
];

/** The group of a well-known artifact. */
export function knownGroup(artifact: string, version: string): string | undefined {
  const major = Number.parseInt(version, 10);
  const family = families.find(
    ({ artifact: pattern, since = 0 }) => pattern.test(artifact) && !(major < since),
  );
  return family && (family.group ?? artifact);
}

/** Files of a Tomcat installation, which Maven's repositories have under longer names. */
const TOMCAT_FILES = /^(?:catalina-(?<part>ssi|storeconfig|tribes)|(?<name>(?:catalina|jasper)(?:-\w+)?))$/;
/** How the same files, and those of the interfaces, name themselves for OSGi since Tomcat 9. */
const TOMCAT_BUNDLE = /^org\.apache\.(?<name>tomcat-[a-z-]+)$/;

/** The artifact that an archive is published as, where installations rename it. */
export function publishedName(file: string, symbolicName: string | undefined): string | undefined {
  const bundle = TOMCAT_BUNDLE.exec(symbolicName ?? '')?.groups?.name;
  if (bundle !== undefined) return bundle;
  if (file.startsWith('tomcat-')) return file;
  const { part, name } = TOMCAT_FILES.exec(file)?.groups ?? {};
  return (part ?? name) && `tomcat-${part ?? name}`;
}
