package test

import (
	"bytes"
	"context"
	"crypto/pbkdf2"
	"crypto/sha512"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	kafka "github.com/segmentio/kafka-go"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/config"
	"github.com/asfotec/churn/pkg/doctor"
	"github.com/asfotec/churn/pkg/realstack"
	"github.com/asfotec/churn/pkg/stage"
)

// settings are environment variables.
type settings map[string]string

// with returns the settings with some changed.
func (s settings) with(change settings) settings {
	all := maps.Clone(s)
	maps.Copy(all, change)
	return all
}

func (s settings) environ() []string {
	var env []string
	for name, value := range s {
		env = append(env, name+"="+value)
	}
	return env
}

// Users of the broker, and what each may do with everything that begins with
// "churn.".
var brokerUsers = map[string][]kafka.ACLOperationType{
	"everything": {kafka.ACLOperationTypeRead, kafka.ACLOperationTypeWrite},
	"look":       {kafka.ACLOperationTypeDescribe},
	"nothing":    nil,
}

const password = "hunter2-hunter2" // of everyone, and in no output

// guarded is a stack that lets in only who may: Apache Kafka, MinIO and MLflow.
type guarded struct {
	kafka   *realstack.Broker
	store   *realstack.Store
	mlflow  *realstack.Tracking
	healthy settings
}

func startGuarded(t *testing.T) guarded {
	users := map[string]string{}
	for name := range brokerUsers {
		users[name] = password
	}
	g := guarded{
		kafka:  realstack.Kafka(t, realstack.KafkaConfig{Secure: true, Users: users}),
		store:  realstack.MinIO(t, realstack.MinIOConfig{TLS: true}),
		mlflow: realstack.MLflow(t, realstack.MLflowConfig{TLS: true, Username: "admin", Password: password}),
	}
	g.healthy = settings{
		"KAFKA_BROKERS": g.kafka.SecureAddr, "KAFKA_TLS_CA": g.kafka.CAFile,
		"KAFKA_SASL_MECHANISM": "SCRAM-SHA-512", "KAFKA_USERNAME": "everything", "KAFKA_PASSWORD": password,
		"MLFLOW_S3_ENDPOINT_URL": g.store.Endpoint, "AWS_CA_BUNDLE": g.store.CAFile,
		"AWS_ACCESS_KEY_ID": g.store.AccessKey, "AWS_SECRET_ACCESS_KEY": g.store.SecretKey,
		"MLFLOW_TRACKING_URI": g.mlflow.URI, "MLFLOW_TRACKING_SERVER_CERT_PATH": g.mlflow.CAFile,
		"MLFLOW_TRACKING_USERNAME": "admin", "MLFLOW_TRACKING_PASSWORD": password,
		"LOG_FORMAT": "json", "HTTP_ADDR": "off",
	}
	g.provision(t)
	return g
}

// provision makes topics, rights and bucket, as whoever runs the cluster does.
func (g guarded) provision(t *testing.T) {
	b, err := config.Config{Brokers: []string{g.kafka.Addr}}.Bus()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.Ensure(t.Context(), stage.Topics(churn.DefaultPrefix)...); err != nil {
		t.Fatal(err)
	}
	allow := &kafka.CreateACLsRequest{}
	for user, operations := range brokerUsers {
		for _, operation := range operations {
			for _, resource := range []kafka.ResourceType{kafka.ResourceTypeTopic, kafka.ResourceTypeGroup} {
				allow.ACLs = append(allow.ACLs, kafka.ACLEntry{
					ResourceType: resource, ResourceName: churn.DefaultPrefix, ResourcePatternType: kafka.PatternTypePrefixed,
					Principal: "User:" + user, Host: "*", Operation: operation, PermissionType: kafka.ACLPermissionTypeAllow,
				})
			}
		}
	}
	allow.ACLs = slices.DeleteFunc(allow.ACLs, func(a kafka.ACLEntry) bool { // there is no such right
		return a.ResourceType == kafka.ResourceTypeGroup && a.Operation == kafka.ACLOperationTypeWrite
	})
	client := &kafka.Client{Addr: kafka.TCP(g.kafka.Addr)}
	res, err := client.CreateACLs(t.Context(), allow)
	if err != nil || errors.Join(res.Errors...) != nil {
		t.Fatal(err, res)
	}
	eventually(t, "the rights to hold", func() error {
		c := config.Config{Brokers: []string{g.kafka.SecureAddr}, TopicPrefix: churn.DefaultPrefix, Kafka: config.Kafka{
			CA: g.kafka.CAFile, Mechanism: "SCRAM-SHA-512", Username: "everything", Password: password,
		}}
		b, err := c.Bus()
		if err != nil {
			return err
		}
		defer b.Close()
		return doctor.Allowed(t.Context(), c, b, churn.Client, churn.Gate)
	})
	s, err := config.Config{
		S3Endpoint: g.store.Endpoint, S3AccessKey: g.store.AccessKey, S3SecretKey: config.Secret(g.store.SecretKey),
		S3CA: g.store.CAFile, Bucket: "churn",
	}.Store()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.EnsureBucket(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// programs are those that a wrong set-up must not leave hanging.
var programs = map[string][]string{
	"featurizer":         {"featurizer", "--env-file="},
	"featurizer --check": {"featurizer", "--env-file=", "--check"},
	"doctor":             {"churnctl", "--env-file=", "doctor"},
	"retrain":            {"churnctl", "--env-file=", "retrain", "--wait=false"},
	"modelservice":       {"modelservice", "--port", "0"},
}

// inTime is how soon a program must have ended by itself. They give up within 10 s;
// the rest is for machines that are busy with other tests.
const inTime = time.Minute

// command returns one of the programs, not started.
func (s settings) command(t *testing.T, program string) *exec.Cmd {
	args := programs[program]
	stack := newStack(t, s.environ()...)
	if args[0] == "modelservice" {
		return stack.modelService(args[1:]...)
	}
	return stack.command(args[0], args[1:]...)
}

// end runs a program to its end and returns its exit code and all that it has
// said. The code is -1 if it had to be killed.
func (s settings) end(t *testing.T, program string) (code int, said string) {
	t.Helper()
	cmd := s.command(t, program)
	ctx, cancel := context.WithTimeout(t.Context(), inTime)
	defer cancel()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })()
	err := cmd.Wait()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String()
}

func TestGuardedStack(t *testing.T) {
	t.Parallel()
	g := startGuarded(t)
	t.Run("healthy", g.testHealthy)
	t.Run("wrong", g.testWrong)
	t.Run("changed password", g.testChangedPassword)
}

// A set-up that is wrong ends every program that it concerns, with a message that
// names what to change. How long each took is told, not tested.
func (g guarded) testWrong(t *testing.T) {
	const anyone, goOnly = "featurizer, featurizer --check, doctor, retrain, modelservice", "featurizer, featurizer --check, doctor, retrain"
	otherCA := realstack.NewCertificates(t).CA
	for name, wrong := range map[string]struct {
		change settings
		says   []string
		whom   string // programs that it concerns
	}{
		"Kafka password":     {settings{"KAFKA_PASSWORD": "not-it"}, []string{"KAFKA_USERNAME", "KAFKA_PASSWORD"}, anyone},
		"Kafka user":         {settings{"KAFKA_USERNAME": "nobody"}, []string{"KAFKA_USERNAME", "KAFKA_PASSWORD"}, anyone},
		"Kafka mechanism":    {settings{"KAFKA_SASL_MECHANISM": "PLAIN"}, []string{"KAFKA_SASL_MECHANISM"}, anyone},
		"Kafka without user": {settings{"KAFKA_SASL_MECHANISM": "", "KAFKA_USERNAME": "", "KAFKA_PASSWORD": ""}, []string{"KAFKA_SASL_MECHANISM", "KAFKA_USERNAME"}, anyone},
		"Kafka CA":           {settings{"KAFKA_TLS_CA": otherCA}, []string{"KAFKA_TLS_CA"}, anyone},
		"Kafka without TLS":  {settings{"KAFKA_TLS_CA": ""}, []string{"KAFKA_TLS"}, anyone},
		"TLS to plain Kafka": {settings{"KAFKA_BROKERS": g.kafka.Addr}, []string{"KAFKA_TLS"}, anyone},
		"topics":             {settings{"CHURN_TOPIC_PREFIX": "other."}, []string{"other.", "CHURN_TOPIC_PREFIX", "churnctl topics apply"}, anyone},
		"rights":             {settings{"KAFKA_USERNAME": "look"}, []string{"KAFKA_USERNAME", "read topic churn."}, goOnly},
		"no rights":          {settings{"KAFKA_USERNAME": "nothing"}, []string{"KAFKA_USERNAME", "churn."}, anyone},

		"S3 key":            {settings{"AWS_ACCESS_KEY_ID": "nobody"}, []string{"AWS_ACCESS_KEY_ID"}, anyone},
		"S3 secret":         {settings{"AWS_SECRET_ACCESS_KEY": "not-the-secret"}, []string{"AWS_SECRET_ACCESS_KEY"}, anyone},
		"S3 CA":             {settings{"AWS_CA_BUNDLE": otherCA}, []string{"AWS_CA_BUNDLE"}, anyone},
		"S3 without TLS":    {settings{"MLFLOW_S3_ENDPOINT_URL": strings.Replace(g.store.Endpoint, "https", "http", 1)}, []string{"MLFLOW_S3_ENDPOINT_URL", "https"}, anyone},
		"S3 where Kafka is": {settings{"MLFLOW_S3_ENDPOINT_URL": "http://" + g.kafka.Addr}, []string{"MLFLOW_S3_ENDPOINT_URL"}, "featurizer --check, doctor, retrain"},

		"MLflow password":    {settings{"MLFLOW_TRACKING_PASSWORD": "not-it"}, []string{"MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"}, goOnly},
		"MLflow token":       {settings{"MLFLOW_TRACKING_USERNAME": "", "MLFLOW_TRACKING_PASSWORD": "", "MLFLOW_TRACKING_TOKEN": "not-it"}, []string{"MLFLOW_TRACKING_TOKEN"}, goOnly},
		"MLflow CA":          {settings{"MLFLOW_TRACKING_SERVER_CERT_PATH": otherCA}, []string{"MLFLOW_TRACKING_SERVER_CERT_PATH"}, goOnly},
		"MLflow without TLS": {settings{"MLFLOW_TRACKING_URI": strings.Replace(g.mlflow.URI, "https", "http", 1)}, []string{"MLFLOW_TRACKING_URI"}, "featurizer --check, doctor, retrain"},
		"MLflow away":        {settings{"MLFLOW_TRACKING_URI": "https://127.0.0.1:1"}, []string{"MLFLOW_TRACKING_URI"}, "featurizer --check, doctor, retrain"},

		"Kafka away": {settings{"KAFKA_BROKERS": "127.0.0.1:1"}, []string{"KAFKA_BROKERS"}, "featurizer --check, doctor, retrain"},
		"S3 away":    {settings{"MLFLOW_S3_ENDPOINT_URL": "https://127.0.0.1:1"}, []string{"MLFLOW_S3_ENDPOINT_URL"}, "featurizer --check, doctor, retrain"},
	} {
		for program := range strings.SplitSeq(wrong.whom, ", ") {
			t.Run(name+"/"+program, func(t *testing.T) {
				t.Parallel()
				start := time.Now()
				code, said := g.healthy.with(wrong.change).end(t, program)
				t.Logf("ended after %.1f s", time.Since(start).Seconds())
				if code != 1 && code != 2 {
					t.Errorf("exit code %d", code)
				}
				for _, word := range wrong.says {
					if !strings.Contains(said, word) {
						t.Errorf("it does not say %q", word)
					}
				}
				for _, secret := range []string{password, g.store.SecretKey, "Traceback", "goroutine "} {
					if strings.Contains(said, secret) {
						t.Errorf("it shows %q", secret)
					}
				}
				if t.Failed() {
					t.Logf("it says:\n%s", said)
				}
			})
		}
	}
}

// finding is what `churnctl doctor -o json` says of one check.
type finding struct {
	Check  string `json:"check"`
	Status string `json:"status"`
	Found  string `json:"found"`
	Advice string `json:"advice"`
}

// The doctor finds nothing wrong where nothing is.
func (g guarded) testHealthy(t *testing.T) {
	for name, s := range map[string]*aStack{
		"a cluster":       newStack(t, g.healthy.environ()...),
		"the local stack": newStack(t),
	} {
		for _, as := range []string{"client", "trainer", "modelservice"} {
			var findings []finding
			s.want(0, &findings, "doctor", "--as", as)
			var checks []string
			for _, f := range findings {
				checks = append(checks, f.Check)
				if f.Status != "ok" || f.Found == "" || f.Advice != "" {
					t.Errorf("%s as %s: %+v", name, as, f)
				}
			}
			want := []string{"broker", "topics", "permissions", "object store", "write-once", "registry", "clock", "LightGBM", "disk", "configuration"}
			if !slices.Equal(checks, want) {
				t.Errorf("%s: checked %q", name, checks)
			}
		}
	}
}

// A service whose password is changed while it runs waits until it is right again,
// says so, and then goes on with what has come meanwhile.
func (g guarded) testChangedPassword(t *testing.T) {
	addr := freeAddr(t)
	service := newStack(t, g.healthy.with(settings{"HTTP_ADDR": addr, "KAFKA_SESSION_TIMEOUT": "6s"}).environ()...)
	cmd := service.background("featurizer", "--env-file=")
	says := func(status int, word string) func() error {
		return func() error {
			res, err := http.Get("http://" + addr + "/readyz")
			if err != nil {
				return err
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err == nil && (res.StatusCode != status || !strings.Contains(string(body), word)) {
				err = fmt.Errorf("it answers %d %s", res.StatusCode, body)
			}
			return err
		}
	}
	eventually(t, "the service to be ready", says(http.StatusOK, "ready"))

	g.setPassword(t, "everything", "another-password")
	g.kafka.Stop() // connections that are there stay let in
	if err := g.kafka.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the service to say that it is refused", says(http.StatusServiceUnavailable, "KAFKA_PASSWORD"))
	super := g.healthy.with(settings{"KAFKA_BROKERS": g.kafka.Addr, "KAFKA_TLS_CA": "", "KAFKA_SASL_MECHANISM": "", "KAFKA_USERNAME": "", "KAFKA_PASSWORD": ""})
	newStack(t, super.environ()...).want(0, nil, append(request("meanwhile"), "--wait=false")...)

	g.setPassword(t, "everything", password)
	eventually(t, "the service to be ready again", says(http.StatusOK, "ready"))
	b, err := config.Config{Brokers: []string{g.kafka.Addr}}.Bus()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	eventually(t, "the answer to the request", func() error {
		n, err := records(t, b, churn.FeaturesReady)
		if err == nil && n == 0 {
			err = errors.New("there is none yet")
		}
		return err
	})
	for _, topic := range []churn.Topic{churn.Featurizer.DeadLetterTopic(), churn.Featurizer.RetryTopic(), churn.RunFailed} {
		if n, err := records(t, b, topic); err != nil || n != 0 {
			t.Errorf("%s has %d records: %v", topic, n, err)
		}
	}
	if cmd.ProcessState != nil {
		t.Error("the service has ended")
	}
}

// records returns how many records the topic has.
func records(t *testing.T, b bus.Reader, topic churn.Topic) (n int64, err error) {
	end, err := b.End(t.Context(), topic.Name(churn.DefaultPrefix))
	for _, offset := range end {
		n += offset
	}
	return n, err
}

// setPassword changes a user's password on the broker.
func (g guarded) setPassword(t *testing.T, user, to string) {
	t.Helper()
	const iterations = 4096
	salt := []byte("a salt for tests")
	key, err := pbkdf2.Key(sha512.New, to, salt, iterations, sha512.Size)
	if err != nil {
		t.Fatal(err)
	}
	client := &kafka.Client{Addr: kafka.TCP(g.kafka.Addr), Transport: &kafka.Transport{}}
	defer client.Transport.(*kafka.Transport).CloseIdleConnections()
	res, err := client.AlterUserScramCredentials(t.Context(), &kafka.AlterUserScramCredentialsRequest{
		Upsertions: []kafka.UserScramCredentialsUpsertion{{
			Name: user, Mechanism: kafka.ScramMechanismSha512, Iterations: iterations, Salt: salt, SaltedPassword: key,
		}},
	})
	if err != nil || res.Results[0].Error != nil {
		t.Fatal(err, res)
	}
}

// What is away is waited for by what runs, with a warning that names the setting:
// parts start in any order.
func TestServicesWaitForWhatIsAway(t *testing.T) {
	t.Parallel()
	away := settings{
		"KAFKA_BROKERS": "127.0.0.1:1", "MLFLOW_S3_ENDPOINT_URL": "https://127.0.0.1:1",
		"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": password, "LOG_FORMAT": "json",
	}
	for _, program := range []string{"featurizer", "modelservice"} {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			cmd := away.command(t, program)
			logFile := filepath.Join(t.TempDir(), "log")
			log, err := os.Create(logFile)
			if err != nil {
				t.Fatal(err)
			}
			defer log.Close()
			cmd.Stdout, cmd.Stderr = log, log
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "warnings", func() error {
				text, err := os.ReadFile(logFile)
				for _, setting := range []string{"KAFKA_BROKERS", "MLFLOW_S3_ENDPOINT_URL"} {
					if err == nil && !strings.Contains(string(text), `warn`) || !strings.Contains(string(text), setting) {
						err = fmt.Errorf("no warning names %s:\n%s", setting, text)
					}
				}
				return err
			})
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Error(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("it ended with %v", err)
			}
		})
	}
}
