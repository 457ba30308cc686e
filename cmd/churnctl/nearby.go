package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// nearby returns the places where a file of the project can be: the one that is
// configured, or path below the working directory and beside the program's
// folder.
func nearby(path, configured string) []string {
	places := []string{configured}
	if configured == "" {
		places = []string{path}
		if program, err := os.Executable(); err == nil {
			places = append(places, filepath.Join(filepath.Dir(program), "..", path))
		}
	}
	for i, p := range places {
		if abs, err := filepath.Abs(p); err == nil {
			places[i] = abs
		}
	}
	return places
}

// find returns the first of the places that is there.
func find(places []string) (string, error) {
	for _, p := range places {
		if _, err := os.Stat(p); err == nil {
			return p, nil
		}
	}
	return "", fmt.Errorf("looked for %s", strings.Join(places, ", "))
}
