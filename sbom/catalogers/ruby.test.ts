import { describe, expect, it } from 'vitest';
import { fileOf } from '../testing/files.ts';
import { ruby } from './ruby.ts';

const specification = (...lines: readonly string[]): string =>
  ['# -*- encoding: utf-8 -*-', 'Gem::Specification.new do |s|', ...lines, 'end', ''].join('\n');

describe('the Ruby cataloger', () => {
  it.each([
    ['usr/local/bundle/specifications/rack-2.2.3.gemspec', true],
    ['usr/lib/ruby/gems/3.1.0/specifications/default/json-2.6.1.gemspec', true],
    ['usr/local/bundle/gems/rack-2.2.3/rack.gemspec', false],
    ['usr/local/bundle/specifications/rack-2.2.3.gemspec.bak', false],
  ])('says of %s: %s', (path, expected) => {
    expect(ruby.matches(path, { size: 1, mode: 0o644 })).toBe(expected);
  });

  it.each([
    ['# -*- encoding: utf-8 -*-\n# stub: rack 2.2.3 ruby lib\n\n'],
    ['# -*- encoding: utf-8 -*-\n# stub: rack 2.2.3 x86_64-linux lib\0ext\n\n'],
    [specification('  s.name = "rack".freeze', '  s.version = "2.2.3"')],
    [specification('  s.name = %q{rack}', '  s.version = Gem::Version.new("2.2.3")')],
    [specification("  spec.name          = 'rack'", "  spec.version       = '2.2.3'.freeze")],
    [specification('  s.version = Gem::Version.new "2.2.3"', '  s.name="rack"', '  s.name = "later"')],
  ])('reads %j', (text) => {
    expect(ruby.catalog(fileOf(text))).toEqual({
      packages: [{ type: 'gem', name: 'rack', version: '2.2.3' }],
    });
  });

  it.each([
    [''],
    [specification('  s.name = "rack"', '  s.version = Rack::VERSION')],
    [specification('  s.name = "rack"', '  s.version = "#{major}.1"')],
    [specification('  s.name = "rack"', '  s.required_ruby_version = "2.0"')],
    [specification('  # s.name = "rack"', '  s.version = "1"')],
  ])('does not guess in %j', (text) => {
    expect(ruby.catalog(fileOf(text))).toMatchObject({ packages: [], problem: { code: 'evidence_invalid' } });
  });

  it('is not kept busy by blanks', () => {
    const blanks = ' '.repeat(1_000_000);
    const text = `${'\n'.repeat(1_000_000)}s.version = Gem::Version.new${blanks}\n${blanks}s.name =${blanks}x`;
    expect(ruby.catalog(fileOf(text))).toMatchObject({ packages: [] });
  });
});
