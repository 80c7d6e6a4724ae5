import { describe, expect, it } from 'vitest';
import { fileOf } from '../testing/files.ts';
import { dotnet } from './dotnet.ts';

const catalog = (json: unknown): unknown => dotnet.catalog(fileOf(JSON.stringify(json)));

describe('the .NET cataloger', () => {
  it.each([
    ['app/Shop.deps.json', true],
    ['usr/share/dotnet/shared/Microsoft.NETCore.App/8.0.1/Microsoft.NETCore.App.deps.json', true],
    ['app/Shop.runtimeconfig.json', false],
    ['app/deps.json', false],
  ])('says of %s: %s', (path, expected) => {
    expect(dotnet.matches(path, { size: 1, mode: 0o644 })).toBe(expected);
  });

  it('gives the packages, with the runtime beside them, and no projects', () => {
    const libraries = {
      'Shop/1.0.0': { type: 'project', serviceable: false, sha512: '' },
      'runtimepack.Microsoft.NETCore.App.Runtime.linux-x64/6.0.0': { type: 'runtimepack' },
      'Newtonsoft.Json/13.0.1': { type: 'package', serviceable: true, sha512: 'sha512-x' },
      'Microsoft.NETCore.App.Runtime.linux-x64/8.0.1': { type: 'package' },
    };
    expect(catalog({ runtimeTarget: {}, targets: {}, libraries })).toEqual({
      packages: [
        { type: 'nuget', name: 'Microsoft.NETCore.App.Runtime.linux-x64', version: '6.0.0' },
        { type: 'nuget', name: 'Newtonsoft.Json', version: '13.0.1' },
        { type: 'nuget', name: 'Microsoft.NETCore.App.Runtime.linux-x64', version: '8.0.1' },
      ],
    });
  });

  it('says which packages it cannot read', () => {
    const libraries = { A: { type: 'package' }, '/1': { type: 'package' }, 'B/1': { type: 'package' } };
    expect(catalog({ libraries })).toMatchObject({
      packages: [{ name: 'B' }],
      problem: { message: '2 packages lack a name or a version' },
    });
  });

  it.each([[], {}, null, { libraries: [] }, 7])('cannot read %j', (json) => {
    expect(() => catalog(json)).toThrow('the file lists no libraries');
  });

  it('cannot read what is no JSON', () => {
    expect(() => dotnet.catalog(fileOf('{'))).toThrow('the file is not JSON');
  });
});
