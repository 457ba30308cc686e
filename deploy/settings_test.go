package deploy

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/joho/godotenv"

	"github.com/asfotec/churn/pkg/config"
)

// settingsOf returns the names of the variables that a component knows.
func settingsOf(t *testing.T, component string) []string {
	t.Helper()
	if component == "modelservice" {
		source := read(t, inRepo("services/modelservice/modelservice/config.py"))
		return regexp.MustCompile(`\b(?:KAFKA|CHURN|MLFLOW|AWS|LOG)_[A-Z0-9_]+`).FindAllString(string(source), -1)
	}
	var names []string
	for _, kv := range (config.Config{}).Environ() {
		name, _, _ := strings.Cut(kv, "=")
		names = append(names, name)
	}
	return names
}

// checkEnvironment: a component knows each variable that it is given, and a Go
// service's configuration takes the values and lacks none. What ModelService is
// given beside its own it shares with the others.
func checkEnvironment(t *testing.T, component string, env map[string]string) {
	t.Helper()
	known := append(settingsOf(t, component), settingsOf(t, "gate")...)
	for name := range env {
		if !slices.Contains(known, name) {
			t.Errorf("%s is given %s, which it does not know", component, name)
		}
	}
	if component == "modelservice" {
		for _, name := range []string{"KAFKA_BROKERS", "MLFLOW_S3_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
			if env[name] == "" {
				t.Errorf("%s lacks %s", component, name)
			}
		}
		return
	}
	text, err := godotenv.Marshal(env)
	if err != nil {
		t.Fatal(err)
	}
	file := t.TempDir() + "/env"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(nil, file)
	if err == nil {
		err = c.Validate()
	}
	if err != nil {
		t.Errorf("%s: %v; it is given %v", component, err, slices.Sorted(maps.Keys(env)))
	}
}
