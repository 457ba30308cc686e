package embedded

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"

	"github.com/asfotec/churn/pkg/churn"
)

// credentials of the store, kept in its folder.
type credentials struct {
	AccessKey string `json:"access_key"`
	SecretKey string `json:"secret_key"`
}

// Credentials returns the credentials of the store in the folder dir. They are
// random, made once, and kept in a file that only its owner can read.
func Credentials(dir string) (accessKey, secretKey string, err error) {
	const op = "embedded.Credentials"
	path := filepath.Join(dir, "credentials.json")
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return makeCredentials(op, dir, path)
	}
	if err != nil {
		return "", "", churn.E(op, churn.Internal, err)
	}
	var c credentials
	if err := json.Unmarshal(data, &c); err != nil || c.AccessKey == "" || c.SecretKey == "" {
		return "", "", churn.Errorf(op, churn.Invalid, "%s is damaged: remove it and new credentials are made", path)
	}
	return c.AccessKey, c.SecretKey, nil
}

func makeCredentials(op, dir, path string) (string, string, error) {
	c := credentials{AccessKey: "churn-" + rand.Text()[:14], SecretKey: rand.Text() + rand.Text()[:14]}
	data, err := json.Marshal(c)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err == nil {
		err = replace(path, append(data, '\n'))
	}
	return c.AccessKey, c.SecretKey, churn.E(op, churn.Internal, err)
}
