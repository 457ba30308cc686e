package deploy

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/joho/godotenv"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/stage"
)

// example returns the example of an .env for Compose with every blank filled in.
func example(t *testing.T) map[string]string {
	t.Helper()
	env, err := godotenv.Read("compose.env.example")
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range env {
		if value == "" {
			env[name] = "filled-in-" + strings.ToLower(name)
		}
	}
	return env
}

// load reads the Compose file as Compose does.
func load(t *testing.T, env map[string]string, profiles ...string) (*types.Project, error) {
	t.Helper()
	var pairs []string
	for name, value := range env {
		pairs = append(pairs, name+"="+value)
	}
	options, err := cli.NewProjectOptions([]string{inRepo("docker-compose.yml")}, cli.WithEnv(pairs), cli.WithProfiles(profiles), cli.WithResolvedPaths(true))
	if err != nil {
		t.Fatal(err)
	}
	return options.LoadProject(context.Background())
}

func mustLoad(t *testing.T, profiles ...string) *types.Project {
	t.Helper()
	p, err := load(t, example(t), profiles...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// oneOff are the services that do a thing and end.
var oneOff = []string{"buckets"}

func TestComposeServices(t *testing.T) {
	t.Parallel()
	parts := []string{"buckets", "evaluator", "featurizer", "gate", "kafka", "minio", "mlflow", "modelservice", "notifier", "trainer"}
	if got := slices.Sorted(maps.Keys(mustLoad(t).Services)); !slices.Equal(got, parts) {
		t.Errorf("it starts %v, not %v", got, parts)
	}
	want := slices.Sorted(slices.Values(append(parts, "grafana", "prometheus")))
	if got := slices.Sorted(maps.Keys(mustLoad(t, "observability").Services)); !slices.Equal(got, want) {
		t.Errorf("with its profile it starts %v, not %v", got, want)
	}
}

// Without a secret nothing starts: none has a default.
func TestComposeSecretsHaveNoDefaults(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD"} {
		env := example(t)
		delete(env, name)
		_, err := load(t, env)
		wantError(t, err, name, "set it in .env")
	}
	for name, value := range example(t) {
		secret := strings.Contains(name, "PASSWORD") || strings.Contains(name, "SECRET")
		if secret && !strings.HasPrefix(value, "filled-in-") {
			t.Errorf("the example has a value for %s", name)
		}
	}
}

// Every container may do as little as it can.
func TestComposeServicesAreHardened(t *testing.T) {
	t.Parallel()
	for name, s := range mustLoad(t, "observability").Services {
		if s.Privileged || len(s.CapAdd) > 0 || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Equal(s.SecurityOpt, []string{"no-new-privileges:true"}) {
			t.Errorf("%s: privileged %v, capabilities %v less %v, %v", name, s.Privileged, s.CapAdd, s.CapDrop, s.SecurityOpt)
		}
		if !s.ReadOnly {
			t.Errorf("%s can write to its image", name)
		}
		if s.NetworkMode != "" || s.Pid != "" || s.Ipc != "" {
			t.Errorf("%s is in namespaces of the host", name)
		}
		if s.Deploy == nil || s.Deploy.Resources.Limits == nil || s.Deploy.Resources.Limits.MemoryBytes == 0 ||
			s.Deploy.Resources.Limits.NanoCPUs == 0 || s.Deploy.Resources.Limits.Pids == 0 {
			t.Errorf("%s has no limit of CPU, memory or processes", name)
		}
		if s.Logging == nil || s.Logging.Driver != "local" {
			t.Errorf("%s's log grows for ever", name)
		}
		if s.Build == nil && (s.User == "" || strings.HasPrefix(s.User, "0") || strings.HasPrefix(s.User, "root")) {
			t.Errorf("%s runs as %q", name, s.User)
		}
		checkPorts(t, name, s)
		checkMounts(t, name, s)
		checkImage(t, name, s)
	}
}

func checkPorts(t *testing.T, name string, s types.ServiceConfig) {
	t.Helper()
	for _, p := range s.Ports {
		if p.HostIP != "127.0.0.1" {
			t.Errorf("%s publishes %s on %q", name, p.Published, p.HostIP)
		}
	}
	_, edge := s.Networks["edge"]
	if edge != (len(s.Ports) > 0 || name == string(churn.Notifier)) {
		t.Errorf("%s publishes %d ports; on the edge network: %v", name, len(s.Ports), edge)
	}
}

// checkMounts: what comes from the host is there and cannot be changed.
func checkMounts(t *testing.T, name string, s types.ServiceConfig) {
	t.Helper()
	for _, v := range s.Volumes {
		if v.Type != types.VolumeTypeBind {
			continue
		}
		if !v.ReadOnly {
			t.Errorf("%s may write to %s", name, v.Source)
		}
		if _, err := os.Stat(v.Source); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

var pinned = regexp.MustCompile(`^[a-z0-9./-]+:(v?[0-9]+\.[0-9]+\.[0-9]+|RELEASE\.[0-9TZ-]+)$`)

// checkImage: an image is built here, by a Dockerfile that is there, or is of one
// release.
func checkImage(t *testing.T, name string, s types.ServiceConfig) {
	t.Helper()
	if s.Build == nil {
		if !pinned.MatchString(s.Image) {
			t.Errorf("%s is of %s, which is not one release", name, s.Image)
		}
		return
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dockerfile := filepath.Join(s.Build.Context, s.Build.Dockerfile)
	if _, err := os.Stat(dockerfile); err != nil || s.Build.Context != root {
		t.Errorf("%s is built of %s in %s: %v", name, s.Build.Dockerfile, s.Build.Context, err)
	}
}

// Everything says whether it is well, and waits for what it needs to be.
func TestComposeStartOrder(t *testing.T) {
	t.Parallel()
	p := mustLoad(t, "observability")
	for name, s := range p.Services {
		if slices.Contains(oneOff, name) {
			if s.Restart != types.RestartPolicyOnFailure {
				t.Errorf("%s restarts %s", name, s.Restart)
			}
			continue
		}
		if s.HealthCheck == nil || len(s.HealthCheck.Test) < 2 || s.HealthCheck.Disable {
			t.Errorf("%s has no health check", name)
		}
	}
	needs := func(name string, on ...string) {
		t.Helper()
		for _, other := range on {
			want := types.ServiceConditionHealthy
			if slices.Contains(oneOff, other) {
				want = types.ServiceConditionCompletedSuccessfully
			}
			if got := p.Services[name].DependsOn[other].Condition; got != want {
				t.Errorf("%s waits for %s to be %q", name, other, got)
			}
		}
	}
	needs("buckets", "minio")
	needs("mlflow", "minio", "buckets")
	needs("grafana", "prometheus")
	for _, s := range append(stage.Services(), churn.ModelService) {
		needs(string(s), "kafka", "minio", "buckets", "mlflow")
	}
}

// What the services are given they know, and it is where the parts are.
func TestComposeSettings(t *testing.T) {
	t.Parallel()
	p := mustLoad(t, "observability")
	kafka, mlflow := p.Services["kafka"], p.Services["mlflow"]
	for _, component := range append(stage.Services(), churn.ModelService) {
		s := p.Services[string(component)]
		env := map[string]string{}
		for name, value := range s.Environment {
			env[name] = *value
		}
		checkEnvironment(t, string(component), env)
		for name, value := range env {
			if m := regexp.MustCompile(`^(?:http://)?([a-z]+):[0-9]+$`).FindStringSubmatch(value); m != nil && p.Services[m[1]].Name == "" {
				t.Errorf("%s: %s is %s, and there is no %s", component, name, value, m[1])
			}
		}
		if !strings.Contains(*kafka.Environment["KAFKA_ADVERTISED_LISTENERS"], "INSIDE://"+env["KAFKA_BROKERS"]) {
			t.Errorf("%s looks for Kafka at %s", component, env["KAFKA_BROKERS"])
		}
		if outside := component == churn.Notifier; len(s.Ports) == 0 && !outside && len(s.Networks) != 1 {
			t.Errorf("%s is in the networks %v", component, slices.Collect(maps.Keys(s.Networks)))
		}
	}
	if !p.Networks["pipeline"].Internal {
		t.Error("the services can reach the outside")
	}
	hosts := mlflow.Command[slices.Index(mlflow.Command, "--allowed-hosts")+1]
	for _, host := range []string{"mlflow:5000", "localhost:5000"} {
		if !strings.Contains(hosts, host) {
			t.Errorf("MLflow answers 403 to %s: %s", host, hosts)
		}
	}
}

// The job that makes the buckets is a script that a shell reads, of secrets that come
// from its environment and are in no command line of the file.
func TestComposeBucketsScript(t *testing.T) {
	t.Parallel()
	job := mustLoad(t).Services["buckets"]
	run(t, ".", nil, job.Entrypoint[0], "-n", "-c", job.Command[0])
	for name, value := range example(t) {
		if strings.HasPrefix(value, "filled-in-") && strings.Contains(job.Command[0], value) {
			t.Errorf("the script holds %s", name)
		}
	}
}

// From the host, churnctl finds the parts where the example says.
func TestComposeExampleIsForChurnctl(t *testing.T) {
	t.Parallel()
	p, env := mustLoad(t), example(t)
	for name, service := range map[string]string{"KAFKA_BROKERS": "kafka", "MLFLOW_S3_ENDPOINT_URL": "minio", "MLFLOW_TRACKING_URI": "mlflow"} {
		host := strings.TrimPrefix(env[name], "http://")
		if want := "localhost:" + p.Services[service].Ports[0].Published; host != want {
			t.Errorf("%s is %s, and %s is published at %s", name, env[name], service, want)
		}
	}
	if !strings.Contains(*p.Services["kafka"].Environment["KAFKA_ADVERTISED_LISTENERS"], "HOST://"+env["KAFKA_BROKERS"]) {
		t.Errorf("Kafka does not say that it is at %s", env["KAFKA_BROKERS"])
	}
}
