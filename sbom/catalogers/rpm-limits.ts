/** Headers take 200 bytes a file, so that this is enough for a package of 160,000 files. */
export const MAX_HEADER_BYTES = 32 * 1024 * 1024;
