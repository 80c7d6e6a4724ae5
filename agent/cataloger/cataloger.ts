import {
  type ContainerRoot,
  catalogBlob,
  catalogFolder,
  catalogRoot,
  type Fragment,
  type LayerBlob,
} from '@gatehouse/sbom';

/** Who reads layers: this process, or one that may die of it. */
export interface LayerCataloger {
  /** Throws SbomError or AgentError. */
  catalogFolder(options: {
    readonly layers: readonly string[];
    readonly index: number;
    readonly container?: ContainerRoot | undefined;
    readonly opaques?: ReadonlySet<string> | undefined;
    readonly signal?: AbortSignal | undefined;
  }): Promise<Fragment>;
  /** The same of the root of a running container. */
  catalogRoot(root: string, options: { readonly signal?: AbortSignal | undefined }): Promise<Fragment>;
  /** Throws SbomError or AgentError. */
  catalogBlob(
    blob: LayerBlob,
    options: { readonly diffId: string; readonly signal?: AbortSignal | undefined },
  ): Promise<{ readonly fragment: Fragment }>;
}

/** For people who look at images of their own. */
export const inThisProcess: LayerCataloger = { catalogFolder, catalogRoot, catalogBlob };
