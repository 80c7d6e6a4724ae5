/** A program or library, and how it states its version. */
export interface Signature {
  /** Of the package. */
  readonly name: string;
  /**
   * The last names of its files, as a whole. A group `series` holds what the version has to begin with, where the text
   * alone is not distinctive.
   */
  readonly files: RegExp;
  /**
   * What every such text has in it, and little else of the program: large programs are searched for it, and only what
   * is around it is looked at. At most seven characters, as Node.js 24 looks for longer ones at a tenth of the speed.
   * Left out where the texts have nothing in common, or the series is in all of them.
   */
  readonly anchor?: string;
  /**
   * A text of the program's constants, with a group `version`; bytes are Latin-1 characters, \0 ends a text. It
   * describes no more than 512 characters, and repeats nothing without a limit: whoever wrote the file may want to
   * waste time.
   */
  readonly text: RegExp;
}

/**
 * How Redis and its heirs end the text that their build is identified by: the machine (containers are called by twelve
 * hexadecimal digits), the seconds of the build, the number of lines changed since, and the commit.
 */
const REDIS_BUILD =
  '(?:[0-9a-f]{12}-|(?![0-9a-f]{11}-)[a-zA-Z][\\w.-]{0,80}-)?1[0-9]{9}[0-9]{1,5}[0-9a-f]{8}\\0';

/**
 * Programs that images have without a package manager: built from source, copied from another image, or brought by
 * their makers' archives. Each text was found in a program as Debian or its makers build it; programs that compute the
 * text only when asked for it (Envoy, libxml2) cannot be told.
 */
export const signatures: readonly Signature[] = [
  {
    name: 'apache-httpd',
    files: /httpd|apache2/,
    anchor: 'Apache/',
    text: /\0Apache\/(?<version>2\.\d{1,2}\.\d{1,3})(?: \(|\0)/g,
  },
  {
    name: 'bash',
    files: /bash/,
    anchor: 'Bash ',
    text: /@\(#\)Bash version (?<version>\d\.\d{1,2}\.\d{1,3})\(/g,
  },
  { name: 'bind', files: /named/, anchor: 'BIND ', text: /\0BIND (?<version>9\.\d{1,2}\.\d{1,3})[-\0 ]/g },
  {
    name: 'busybox',
    files: /busybox/,
    anchor: 'BusyBox',
    text: /BusyBox v(?<version>1\.\d{1,2}\.\d{1,2}) /g,
  },
  {
    name: 'curl',
    files: /curl|libcurl(?:-gnutls)?\.so[.\d]*/,
    anchor: 'curl/',
    text: /\0(?:lib)?curl\/(?<version>[78]\.\d{1,3}\.\d{1,2})\0/g,
  },
  { name: 'dnsmasq', files: /dnsmasq/, anchor: 'dnsmasq', text: /\0dnsmasq-(?<version>2\.\d{1,3})\0/g },
  /** The version of the runtime system; that of the whole, as in OTP 25, is in a text file beside it. */
  {
    name: 'erts',
    files: /beam\.smp/,
    anchor: 'emulato',
    text: /emulator version (?<version>\d{1,2}(?:\.\d{1,2}){1,4})\n/g,
  },
  {
    name: 'expat',
    files: /libexpatw?\.so[.\d]*/,
    anchor: 'expat_',
    text: /\0expat_(?<version>2\.\d{1,2}\.\d{1,2})\0/g,
  },
  {
    name: 'git',
    files: /git/,
    anchor: 'git/',
    text: /git\/(?<version>2\.\d{1,2}\.\d{1,2})(?:\.[\w.]{1,20})?\0/g,
  },
  {
    name: 'glibc',
    files: /libc(?:\.so\.6|-2\.\d+\.so)/,
    anchor: 'GNU C ',
    text: /GNU C Library [^\0]{1,80}stable release version (?<version>2\.\d{1,3})\./g,
  },
  {
    name: 'gnutls',
    files: /libgnutls\.so[.\d]*/,
    anchor: 'GnuTLS ',
    text: /\0Enabled GnuTLS (?<version>3\.\d{1,2}\.\d{1,2}) /g,
  },
  {
    name: 'haproxy',
    files: /haproxy/,
    anchor: ', relea',
    text: / version (?<version>[123]\.\d{1,2}(?:\.\d{1,3}|-dev\d{1,2}))[^,\0]{0,60}, released \d{4}\//g,
  },
  {
    name: 'libressl',
    files: /openssl|libcrypto\.so[.\d]*/,
    anchor: 'LibreSS',
    text: /\0LibreSSL (?<version>\d\.\d{1,2}\.\d{1,2})\0/g,
  },
  { name: 'lighttpd', files: /lighttpd/, anchor: 'httpd/', text: /\0lighttpd\/(?<version>1\.4\.\d{1,3})\0/g },
  {
    name: 'lua',
    files: /(?:liblua|lua)-?5\.\d[.so\d]*/,
    anchor: 'LuaVers',
    text: /\$LuaVersion: Lua (?<version>5\.\d\.\d{1,2}) /g,
  },
  {
    name: 'mariadb',
    files: /mariadbd|mysqld/,
    anchor: '-MariaD',
    text: /\0(?<version>\d{1,2}\.\d{1,2}\.\d{1,3})-MariaDB/g,
  },
  {
    name: 'memcached',
    files: /memcached/,
    anchor: 'memcach',
    text: /\0memcached (?<version>1\.\d{1,2}\.\d{1,3})\0/g,
  },
  {
    name: 'musl',
    files: /ld-musl-\w{1,20}\.so\.1|libc\.so/,
    anchor: '1.',
    text: /\0(?<version>1\.[12]\.\d{1,2})\0/g,
  },
  {
    name: 'nginx',
    files: /nginx/,
    anchor: 'nginx/',
    text: /nginx version: nginx\/(?<version>1\.\d{1,2}\.\d{1,2})/g,
  },
  {
    name: 'node',
    files: /node(?:js)?|libnode\.so[.\d]*/,
    anchor: 'js/v',
    text: /node\.js\/v(?<version>\d{1,2}\.\d{1,2}\.\d{1,2})/g,
  },
  {
    name: 'openresty',
    files: /nginx/,
    anchor: 'resty/',
    text: /nginx version: openresty\/(?<version>1\.\d{1,2}\.\d{1,2}\.\d{1,2})/g,
  },
  {
    name: 'openssh',
    files: /sshd?|sshd-session/,
    anchor: 'SSH_',
    text: /OpenSSH_(?<version>\d{1,2}\.\d{1,2}p\d)[ \0]/g,
  },
  {
    name: 'openssl',
    files: /openssl|libcrypto\.so[.\d]*/,
    anchor: 'penSSL ',
    text: /\0OpenSSL (?<version>\d\.\d{1,2}\.\d{1,2}[a-z]{0,2}(?:-(?:alpha|beta|pre)\d{1,2})?)(?:-fips)? {1,2}(?:FIPS )?\d{1,2} [A-Z][a-z]{2} \d{4}/g,
  },
  {
    name: 'perl',
    files: /perl(?:5\.\d+\.\d+)?|libperl\.so[.\d]*/,
    anchor: '5.',
    text: /\0v(?<version>5\.\d{1,2}\.\d{1,2})\0/g,
  },
  {
    name: 'pgbouncer',
    files: /pgbouncer/,
    anchor: 'Bouncer',
    text: /PgBouncer (?<version>1\.\d{1,2}\.\d{1,2})/g,
  },
  {
    name: 'php',
    files: /php(?:-cgi|-fpm)?(?:\d\.?\d{0,2})?|libphp\d?(?:\.\d)?\.so/,
    anchor: 'PHP/',
    text: /X-Powered-By: PHP\/(?<version>\d\.\d{1,2}\.\d{1,2}(?:(?:alpha|beta|RC)\d{1,2})?)/g,
  },
  {
    name: 'postgresql',
    files: /postgres/,
    anchor: 'greSQL ',
    text: /\0PostgreSQL (?<version>\d{1,2}(?:\.\d{1,2}){0,2}(?:(?:beta|rc)\d{1,2})?)(?: \([^)\0]{0,80}\))? on /g,
  },
  {
    // Linkers let one text be the end of another, such as the path of the installation.
    name: 'python',
    files: /(?:lib)?python(?<series>3\.\d{1,2})[dmtu]{0,2}(?:\.so[.\d]*)?/,
    text: /[\0/](?<version>3\.\d{1,2}\.\d{1,2}(?:(?:a|b|rc)\d{1,2})?)\+?\0/g,
  },
  {
    name: 'redis',
    files: /redis-server|redis-check-(?:rdb|aof)/,
    text: new RegExp(`(?<version>\\d\\.\\d{1,2}\\.\\d{1,2})${REDIS_BUILD}`, 'g'),
  },
  {
    name: 'ruby',
    files: /ruby(?:\d\.\d)?|libruby(?:-\d\.\d)?\.so[.\d]*/,
    anchor: 'ruby ',
    text: /\0ruby (?<version>\d\.\d{1,2}\.\d{1,2})(?:p\d{1,4}|(?:preview|rc)\d{1,2})? \(\d{4}-/g,
  },
  {
    name: 'sqlite',
    files: /libsqlite3\.so[.\d]*/,
    anchor: '3.',
    text: /\0(?<version>3\.\d{1,2}\.\d{1,2})\0/g,
  },
  {
    name: 'squid',
    files: /squid/,
    anchor: 'squid/',
    text: /\0squid\/(?<version>\d\.\d{1,2}(?:\.\d{1,2})?)\0/g,
  },
  {
    name: 'unbound',
    files: /unbound/,
    anchor: 'unbound',
    text: /\0unbound (?<version>1\.\d{1,2}\.\d{1,2})\0/g,
  },
  {
    name: 'valkey',
    files: /valkey-(?:server|check-(?:rdb|aof))/,
    anchor: 'valkey',
    text: new RegExp(`valkey(?<version>\\d\\.\\d{1,2}\\.\\d{1,2})${REDIS_BUILD}`, 'g'),
  },
  {
    name: 'varnish',
    files: /varnishd/,
    anchor: 'varnish',
    text: /\0varnish-(?<version>\d\.\d{1,2}\.\d{1,2}) revision /g,
  },
  { name: 'xz', files: /liblzma\.so[.\d]*/, anchor: '5.', text: /\0(?<version>5\.\d\.\d{1,2})\0/g },
  {
    name: 'zlib',
    files: /libz\.so[.\d]*/,
    anchor: 'deflate',
    text: / deflate (?<version>1\.\d{1,2}(?:\.\d{1,2}){1,2}) Copyright/g,
  },
];
