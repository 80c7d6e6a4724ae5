import { type Image } from '../test/harness/images.ts';
export declare const imageName: (component: string) => string;
/**
 * Builds all images without an image registry, each into a folder of the OCI layout below `folder`: the same content as
 * by the Containerfiles.
 */
export declare function buildImages(folder: string): Promise<readonly Image[]>;
