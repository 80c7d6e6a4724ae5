import path from 'node:path';
import { type Result, run, runOk } from './process.ts';

export interface Kubectl {
  /** Runs kubectl as administrator. A refusal by the cluster is a result like others: look at `code`. */
  kubectl(args: readonly string[], options?: { readonly input?: string }): Promise<Result>;
  /** Applies manifests: YAML, or objects that code has made. Throws where the cluster refuses one. */
  apply(manifests: string | readonly object[]): Promise<void>;
}

/** `folder` takes what kubectl remembers of the API, which else goes to the home of the user. */
export function createKubectl(kube: string, kubeconfig: string, folder: string): Kubectl {
  const argv = (args: readonly string[]): string[] => [
    ...[kube, 'kubectl', '--kubeconfig', kubeconfig, '--cache-dir', path.join(folder, 'kubectl')],
    ...args,
  ];
  return {
    kubectl: (args, options) => run(argv(args), options),
    async apply(manifests) {
      const input =
        typeof manifests === 'string'
          ? manifests
          : JSON.stringify({ apiVersion: 'v1', kind: 'List', items: manifests });
      await runOk(argv(['apply', '-f', '-']), { input });
    },
  };
}
