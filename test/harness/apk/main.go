// apk installs packages of Alpine's format into a folder as Chainguard's apko does, whose package manager is written in
// Go: the database of installed packages is apko's own.
//
//	apk ROOT PACKAGE...
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"chainguard.dev/apko/pkg/apk/apk"
	"chainguard.dev/apko/pkg/apk/fs"
)

// file is a package in a file of this machine.
type file struct {
	*apk.Package
	path string
}

func (f file) URL() string         { return f.path }
func (f file) PackageName() string { return f.Name }

func main() {
	if err := install(context.Background(), os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func install(ctx context.Context, root string, paths []string) error {
	packages := make([]apk.InstallablePackage, 0, len(paths))
	for _, path := range paths {
		parsed, err := parse(ctx, path)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		packages = append(packages, file{parsed, path})
	}
	installer, err := apk.New(ctx, apk.WithFS(fs.DirFS(ctx, root)), apk.WithIgnoreMknodErrors(true))
	if err != nil {
		return err
	}
	if err := installer.InitDB(ctx); err != nil {
		return err
	}
	_, err = installer.InstallPackages(ctx, nil, packages)
	return err
}

func parse(ctx context.Context, path string) (*apk.Package, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	opened, err := os.Open(absolute)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	stats, err := opened.Stat()
	if err != nil {
		return nil, err
	}
	return apk.ParsePackage(ctx, opened, uint64(stats.Size()))
}
