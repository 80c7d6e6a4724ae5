import { Client, credentials } from '@grpc/grpc-js';

/** containerd sends and takes messages of 16 MiB (defaults.DefaultMaxRecvMsgSize), and so does CRI-O. */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

/** A client of a runtime, at its socket. */
export function clientAt(socket: string): Client {
  return new Client(`unix:${socket}`, credentials.createInsecure(), {
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    // The name of a host is sent along; some runtimes refuse the path of a socket as one.
    'grpc.default_authority': 'localhost',
  });
}
