import { describe, expect, it } from 'vitest';
import { withRoot } from './images.ts';

const held = (name: string, changes: object = {}) => ({
  purl: `pkg:npm/${name}@1`,
  key: undefined,
  layer: 'sha256:l',
  locations: [`srv/${name}`],
  bySystem: false,
  loaded: false,
  ...changes,
});

describe('the packages of layers and of what a container shows', () => {
  it('are those of the layers, as they are, and what only the container shows', () => {
    const root = [held('a', { layer: '', bySystem: true }), held('b', { layer: '' })];
    expect(withRoot([held('a')], root)).toEqual([held('a'), held('b', { layer: '' })]);
  });

  it('are loaded if either says so, for the files of a package may be of a layer that could not be read', () => {
    const layers = [held('a'), held('b', { loaded: true }), held('c')];
    const root = [held('a', { loaded: true }), held('b'), held('c')];
    expect(withRoot(layers, root).map(({ loaded }) => loaded)).toEqual([true, true, false]);
  });
});
