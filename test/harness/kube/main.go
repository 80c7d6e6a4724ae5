// Command kube is the whole of Kubernetes in one binary, for a cluster that
// runs as plain child processes. The first argument chooses the component.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"

	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/restclient"
	_ "k8s.io/component-base/metrics/prometheus/version"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: kube apiserver|controller-manager|scheduler|kubelet|proxy|kubectl|hold [flags]")
		os.Exit(2)
	}
	component := os.Args[1]
	os.Args = append([]string{filepath.Join(filepath.Dir(os.Args[0]), "kube-"+component)}, os.Args[2:]...)
	var command *cobra.Command
	switch component {
	case "apiserver":
		command = apiserver.NewAPIServerCommand()
	case "controller-manager":
		command = controllermanager.NewControllerManagerCommand()
	case "scheduler":
		command = scheduler.NewSchedulerCommand()
	case "kubelet":
		command = kubelet.NewKubeletCommand(context.Background())
	case "proxy":
		command = proxy.NewProxyCommand()
	case "kubectl":
		command = kubectl.NewDefaultKubectlCommand()
	case "hold":
		hold()
		return
	default:
		fmt.Fprintf(os.Stderr, "kube: no component %q\n", component)
		os.Exit(2)
	}
	os.Exit(cli.Run(command))
}

// hold is process 1 of a cluster's PID namespace: it reaps what containers
// leave behind, and with its end the kernel ends everything in the namespace.
func hold() {
	ended := make(chan os.Signal, 64)
	signal.Notify(ended, syscall.SIGCHLD, syscall.SIGTERM, syscall.SIGINT)
	for received := range ended {
		if received != syscall.SIGCHLD {
			return
		}
		for {
			if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 || err != nil {
				break
			}
		}
	}
}
