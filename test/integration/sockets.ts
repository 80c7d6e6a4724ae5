/** For `connectRuntimes`: to look for nothing, outside of clusters. Tests say what they look for. */
export const noSockets = {
  containerdSocket: '',
  containerdRoot: '/var/lib/containerd',
  containerdState: '/run/containerd',
  crioSocket: '',
  crioStorage: [],
  hostRoot: '/',
  dockerSocket: '',
  podUid: '',
} as const;
