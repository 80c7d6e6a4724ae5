import type { Fragment, LayerBlob } from '@gatehouse/sbom';
import type { LayerCataloger } from '../cataloger/cataloger.ts';

/** An image on the node. */
export interface RuntimeImage {
  /** The digest of its configuration. */
  readonly digest: string;
  /** repository:tag and repository@digest, as the runtime has them. */
  readonly aliases: readonly string[];
}

/** A container on the node. */
export interface RuntimeContainer {
  readonly id: string;
  readonly name: string;
  /** Empty for containers that are not of a pod. */
  readonly namespace: string;
  readonly pod: string;
  readonly podUid: string;
  /** The digest of the configuration of its image. */
  readonly image: string;
  readonly running: boolean;
}

/** The process that a container began with. */
export interface ContainerProcess {
  readonly pid: number;
  /** Where this process sees the root of the node, with the /proc that counts so; empty if that is its own. */
  readonly node: string;
  /**
   * Folders of the node, in one of which the runtime keeps what a container writes: by that its root is known where the
   * runtime does not say whether a container is one of this kernel, or a virtual machine whose process is another.
   */
  readonly storage?: readonly string[];
}

/** All that is on the node. */
export interface Inventory {
  readonly images: readonly RuntimeImage[];
  readonly containers: readonly RuntimeContainer[];
}

/** What an image is made of. */
export interface ImageLayers {
  readonly platform: string;
  /** From the bottom to the top. */
  readonly diffIds: readonly string[];
  /** Reads the configuration that both are from, as it is; undefined if this node cannot show it. */
  readonly config: () => Promise<Buffer | undefined>;
}

/** Where layers lie as plain folders: those of a whole image, with the root of a container of it. */
export interface LayerFolders {
  /** From the bottom to the top. */
  readonly layers: readonly string[];
  readonly container: { readonly merged: string; readonly upper: string } | undefined;
  /** The opaque folders of a layer, where the runtime has kept what tells them. */
  readonly opaquesOf?: (index: number) => Promise<ReadonlySet<string> | undefined>;
}

/** Who has the layers of an image elsewhere. */
export interface LayerSource {
  /** Throws AgentError `layer_unreadable`, or SbomError. */
  catalog(
    cataloger: LayerCataloger,
    layer: { readonly index: number; readonly diffId: string; readonly signal: AbortSignal },
  ): Promise<Fragment>;
}

/** Where the layers of an image can be read on this node. */
export interface LayerPlaces extends AsyncDisposable {
  readonly folders: LayerFolders | undefined;
  /** Why there are no folders; left out, no container of the image runs that would show them. */
  readonly noFolders?: string;
  /** For each layer its archive, or why there is none. */
  readonly blobs: readonly (LayerBlob | { readonly missing: string })[];
  /** The root of a running container of the image, which shows all of its layers and what the container has written. */
  readonly root?: string;
  /** Not a place on the node, but where to ask for what it has not kept; undefined where that is not wanted. */
  readonly registry?: LayerSource;
}

/** A container runtime of the node. */
export interface Runtime extends AsyncDisposable {
  /** Name and version, such as `containerd 2.1.4`. */
  readonly title: string;
  inventory(signal: AbortSignal): Promise<Inventory>;
  /** Throws AgentError `image_gone`. */
  layersOf(image: string, signal: AbortSignal): Promise<ImageLayers>;
  placesOf(
    image: RuntimeImage,
    layers: ImageLayers,
    inventory: Inventory,
    signal: AbortSignal,
  ): Promise<LayerPlaces>;
  /** Undefined if the container does not run, or if /proc does not show what does, as in a virtual machine. */
  processOf(container: string, signal: AbortSignal): Promise<ContainerProcess | undefined>;
  /** Calls back whenever a container comes or goes, if the runtime can tell; resolves when it no longer tells. */
  watch(onChange: () => void, signal: AbortSignal): Promise<void>;
}

/** A runtime that may be the kubelet's. */
export interface PodRuntime extends Runtime {
  /** Whether a pod of this uid is on the node by this runtime. */
  runsPod(uid: string, signal: AbortSignal): Promise<boolean>;
}
