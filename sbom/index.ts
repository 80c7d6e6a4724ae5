export { CATALOGER_VERSION } from './catalogers/table.ts';
export { chainIds } from './chain-ids.ts';
export { decodeFragment } from './decode-fragment.ts';
export { encodeFragment } from './encode-fragment.ts';
export { SbomError, sbomErrorCodes } from './errors.ts';
export {
  type Evidence,
  type EvidenceProblem,
  evidenceProblemCodes,
  type Fragment,
  type Opacity,
  type Problem,
  problemCodes,
  type Symlink,
} from './fragment.ts';
export {
  fold,
  type ImageContents,
  type ImagePackage,
  type ImageProblem,
  type Location,
} from './image/fold.ts';
export { packageUrl } from './image/package-url.ts';
export type { LayerBlob } from './layer/blob-reader.ts';
export { catalogBlob } from './layer/catalog-blob.ts';
export { catalogFolder } from './layer/catalog-folder.ts';
export type { ContainerRoot } from './layer/opacity.ts';
export type { OsRelease } from './os-release.ts';
export type { Package, PackageType } from './package.ts';
export { parseImageConfig } from './sources/image-config.ts';
export { fileSourceForms, openSource } from './sources/open-source.ts';
export { describePlatform } from './sources/platform.ts';
export type { SourceImage, SourceLayer } from './sources/source-image.ts';
