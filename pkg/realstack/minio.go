package realstack

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// MinIOConfig says what object store is wanted.
type MinIOConfig struct {
	TLS bool
	Dir string // where objects are kept; empty: a folder of the test's
}

// Store is MinIO on one folder.
type Store struct {
	*Process
	Endpoint  string // http(s)://host:port
	AccessKey string // of the root user
	SecretKey string
	CAFile    string // PEM file of the authority of the certificate; empty without TLS
}

// MinIO starts an object store without buckets.
func MinIO(t testing.TB, c MinIOConfig) *Store {
	t.Helper()
	program, err := installed("minio/minio")
	if err != nil {
		t.Fatal(err)
	}
	dir, addr := t.TempDir(), fmt.Sprintf("127.0.0.1:%d", freePort(t))
	s := &Store{Endpoint: "http://" + addr, AccessKey: "root-user", SecretKey: rand.Text()}
	args := []string{"server", "--quiet", "--address", addr, "--certs-dir", filepath.Join(dir, "certs"), cmp.Or(c.Dir, filepath.Join(dir, "data"))}
	if c.TLS {
		s.Endpoint = "https://" + addr
		s.CAFile = placeCertificates(t, filepath.Join(dir, "certs"))
	}
	s.Process = &Process{
		name: "minio",
		command: func() *exec.Cmd {
			cmd := exec.Command(program, args...) //nolint:gosec // the test's own
			cmd.Env = append(os.Environ(), "MINIO_ROOT_USER="+s.AccessKey, "MINIO_ROOT_PASSWORD="+s.SecretKey,
				"MINIO_BROWSER=off", "MINIO_UPDATE=off", "HOME="+dir)
			return cmd
		},
		healthy: answers(s.Endpoint+"/minio/health/live", s.CAFile),
	}
	s.start(t)
	return s
}

// placeCertificates makes certificates where MinIO looks for them, and returns
// the authority's.
func placeCertificates(t testing.TB, dir string) string {
	certs := NewCertificates(t)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{certs.Cert: "public.crt", certs.Key: "private.key"} {
		text, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, to), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return certs.CA
}

// answers returns a check that the URL answers 200. The authority may be empty.
func answers(url, caFile string) func(context.Context) error {
	return func(ctx context.Context) error {
		roots := x509.NewCertPool()
		if caFile != "" {
			pem, err := os.ReadFile(caFile)
			if err != nil {
				return err
			}
			roots.AppendCertsFromPEM(pem)
		}
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
		defer transport.CloseIdleConnections()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		res, err := transport.RoundTrip(req)
		if err != nil {
			return err
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("it answers %s", res.Status)
		}
		return nil
	}
}
