/**
 * What a process needs that does nothing but look into what comes out of images. Node.js takes some 2 ms of processor
 * time for each file of TypeScript that it loads, and such a process starts whenever there is something to read.
 */
export { examine } from './catalogers/examine.ts';
export { FileParts } from './catalogers/file-parts.ts';
export { catalogerNamed } from './catalogers/table.ts';
export { encodeFragment } from './encode-fragment.ts';
export { SbomError } from './errors.ts';
export { catalogBlob } from './layer/catalog-blob.ts';
