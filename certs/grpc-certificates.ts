import type { ServedCertificate, ServingCertificate } from './serving.ts';

type Listener = (update: { certificate: Buffer; privateKey: Buffer } | null) => void;

/** What grpc-js calls a CertificateProvider; spelt out, so that those who serve no gRPC need not have the package. */
export interface GrpcCertificateProvider {
  addIdentityCertificateListener(listener: Listener): void;
  removeIdentityCertificateListener(listener: Listener): void;
  addCaCertificateListener(): void;
  removeCaCertificateListener(): void;
}

/**
 * A serving certificate for a server of grpc-js, whose credentials are made by
 * `experimental.createCertificateProviderServerCredentials(provider, null, false)`. Open calls go on, new connections get
 * the new certificate. It has no authorities for the certificates of clients.
 */
export function grpcCertificates(serving: ServingCertificate): GrpcCertificateProvider {
  const listening = new Map<Listener, Disposable>();
  return {
    addIdentityCertificateListener(listener) {
      const tell = ({ cert, key }: ServedCertificate): void =>
        listener({ certificate: Buffer.from(cert), privateKey: Buffer.from(key) });
      listening.set(listener, serving.onChange(tell));
      // The server listens to its credentials only after this returns, and would miss what it is told before.
      process.nextTick(() => tell(serving.current()));
    },
    removeIdentityCertificateListener(listener) {
      listening.get(listener)?.[Symbol.dispose]();
      listening.delete(listener);
    },
    addCaCertificateListener: () => undefined,
    removeCaCertificateListener: () => undefined,
  };
}
