# Process 1 of a cluster's namespaces starts here: it gives the cluster its own standard folders, says so, and then
# holds the namespaces. With its end, the kernel ends all processes and takes away all mounts and devices within.
# Its arguments: the folder of the cluster, the name of the node, and the program to end in.
set -eu
folder=$1 node=$2 kube=$3

# Pods that ask for it see mounts made later (mountPropagation: HostToContainer), and the host sees none of them.
mount --make-rshared /

mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock /run/netns /run/cluster /run/var/upper /run/var/work
mount --bind "$folder" /run/cluster

# What the cluster writes below /var lands here, so that no folder of it stays on the host.
mount -t overlay -o lowerdir=/var,upperdir=/run/var/upper,workdir=/run/var/work overlay /var
for path in lib/containerd lib/kubelet lib/volumes log/pods log/containers; do
  mkdir -p "/run/cluster/$path" "/var/$path"
  mount --bind "/run/cluster/$path" "/var/$path"
done

# The machine's name server is out of reach; without one, libraries ask the node itself, where the cluster's listens.
resolver=$(readlink -m /etc/resolv.conf)
mkdir -p "$(dirname "$resolver")"
touch "$resolver" /run/resolv.conf
mount --bind /run/resolv.conf "$resolver"

hostname "$node"
echo 1 >/proc/sys/net/ipv4/ip_forward
echo ready
exec "$kube" hold >/dev/null 2>&1
