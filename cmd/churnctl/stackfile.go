package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/asfotec/churn/pkg/config"
	"github.com/asfotec/churn/pkg/embedded"
)

// stackFile tells other commands where the running local stack is. It holds no
// secret: the store's credentials are in a file of their own.
type stackFile struct {
	PID          int    `json:"pid"`
	Temporary    bool   `json:"temporary,omitempty"` // it ends with the command that runs it
	Broker       string `json:"broker"`
	Store        string `json:"store"`
	Bucket       string `json:"bucket"`
	Credentials  string `json:"credentials"` // path
	ModelService string `json:"modelservice,omitempty"`
}

func stackFilePath(stateDir string) string { return filepath.Join(stateDir, "stack.json") }

func readStackFile(stateDir string) (stackFile, error) {
	var f stackFile
	text, err := os.ReadFile(stackFilePath(stateDir))
	if err != nil {
		return f, err
	}
	if err := json.Unmarshal(text, &f); err != nil {
		return f, fmt.Errorf("%s is damaged: remove it (%w)", stackFilePath(stateDir), err)
	}
	return f, nil
}

func (f stackFile) write(stateDir string) error {
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	partial := stackFilePath(stateDir) + ".partial"
	if err := os.WriteFile(partial, append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(partial, stackFilePath(stateDir))
}

func removeStackFile(stateDir string) error {
	if err := os.Remove(stackFilePath(stateDir)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// alive reports whether the stack that wrote the file is there and answers. One
// that was killed leaves its file behind.
func (f stackFile) alive() bool {
	if err := syscall.Kill(f.PID, 0); err != nil && !errors.Is(err, syscall.EPERM) {
		return false
	}
	for _, addr := range []string{f.Broker, strings.TrimPrefix(f.Store, "http://")} {
		c, err := net.DialTimeout("tcp", addr, time.Second)
		if err != nil {
			return false
		}
		_ = c.Close()
	}
	return true
}

// reach returns c with what it takes to reach the running stack.
func (f stackFile) reach(c config.Config) (config.Config, error) {
	access, secret, err := embedded.Credentials(filepath.Dir(f.Credentials))
	if err != nil {
		return c, err
	}
	c.Brokers, c.Bucket = []string{f.Broker}, f.Bucket
	c.S3Endpoint, c.S3AccessKey, c.S3SecretKey = f.Store, access, config.Secret(secret)
	return c, nil
}
