// Package realstack starts the real parts that tests run against: Apache Kafka,
// MinIO and MLflow, as processes on free ports of the loopback interface.
// `make realstack` installs them into build/realstack.
//
// Only tests import this package. A part is stopped when its test ends, and the
// end of its log is shown if the test has failed.
package realstack

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// Root returns the repository's top folder, found from the working directory.
var Root = sync.OnceValues(func() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "go.work")); err == nil {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("no folder above %s has a go.work", dir)
		}
	}
})

// installed returns the path of a file of build/realstack.
func installed(name string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	path := filepath.Join(root, "build/realstack", name)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%s is missing: run `make realstack`", path)
	}
	return path, nil
}
