export type { Cataloger, Findings } from './catalogers/cataloger.ts';
export type { Examined } from './catalogers/examine.ts';
export type { FileParts } from './catalogers/file-parts.ts';
export { CATALOGER_VERSION, CATALOGER_VERSION_FORM } from './catalogers/table.ts';
export { chainIds } from './chain-ids.ts';
export { decodeFragment } from './decode-fragment.ts';
export { encodeFragment } from './encode-fragment.ts';
export { endOfLife } from './end-of-life.ts';
export { SbomError, sbomErrorCodes } from './errors.ts';
export { toCycloneDx } from './formats/cyclonedx.ts';
export type { DescribedImage } from './formats/described-image.ts';
export { MAX_DOCUMENT_BYTES } from './formats/parse-json.ts';
export { readSbomDocument, type SbomDocument } from './formats/read-document.ts';
export { toSpdx } from './formats/spdx.ts';
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
export { fold, ImageFold } from './image/fold.ts';
export { weightOf } from './image/fragment-weight.ts';
export type { ImageContents, ImagePackage, ImageProblem, Location } from './image/image-contents.ts';
export { packageUrl } from './image/package-url.ts';
export { JsonValue } from './json-shape.ts';
export { type LayerBlob, streamFile } from './layer/blob-reader.ts';
export { catalogBlob } from './layer/catalog-blob.ts';
export { catalogFolder, catalogOwnFolder, catalogRoot, type Turn } from './layer/catalog-folder.ts';
export type { ContainerRoot } from './layer/opacity.ts';
export type { Examiner } from './layer/read-file.ts';
export { type TarSplit, tarSplitBlob, tarSplitOpaques } from './layer/tar-split.ts';
export type { OsRelease } from './os-release.ts';
export { isOfSystem, type Package, type PackageType } from './package.ts';
export { parseImageConfig } from './sources/image-config.ts';
export {
  chooseManifest,
  type Descriptor,
  isIndex,
  MAX_INDEX_DEPTH,
  type Manifest,
  parseIndex,
  parseManifest,
} from './sources/oci-documents.ts';
export { fileSourceForms, openSource } from './sources/open-source.ts';
export { checkPlatform, describePlatform, type Platform, readPlatform } from './sources/platform.ts';
export type { SourceImage, SourceLayer } from './sources/source-image.ts';
