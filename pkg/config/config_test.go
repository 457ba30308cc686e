package config_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/config"
)

// sample has a value other than the default for every setting.
var sample = map[string]string{
	"KAFKA_BROKERS":                    "a:1,b:2",
	"CHURN_TOPIC_PREFIX":               "x.",
	"KAFKA_TLS":                        "true",
	"KAFKA_TLS_CA":                     "/ca.pem",
	"KAFKA_TLS_CERT":                   "/cert.pem",
	"KAFKA_TLS_KEY":                    "/key.pem",
	"KAFKA_SASL_MECHANISM":             "SCRAM-SHA-512",
	"KAFKA_USERNAME":                   "ada",
	"KAFKA_PASSWORD":                   "kafka-hunter2",
	"KAFKA_REPLICATION_FACTOR":         "3",
	"KAFKA_SESSION_TIMEOUT":            "11s",
	"MLFLOW_S3_ENDPOINT_URL":           "http://s3:9000",
	"AWS_ACCESS_KEY_ID":                "access",
	"AWS_SECRET_ACCESS_KEY":            "s3-hunter2",
	"AWS_REGION":                       "eu-1",
	"AWS_CA_BUNDLE":                    "/s3.pem",
	"CHURN_BUCKET":                     "models",
	"MLFLOW_TRACKING_URI":              "https://mlflow:5000",
	"MLFLOW_TRACKING_SERVER_CERT_PATH": "/mlflow.pem",
	"MLFLOW_TRACKING_USERNAME":         "grace",
	"MLFLOW_TRACKING_PASSWORD":         "mlflow-hunter2",
	"MLFLOW_TRACKING_TOKEN":            "token-hunter2",
	"DATABRICKS_HOST":                  "https://databricks",
	"DATABRICKS_TOKEN":                 "databricks-hunter2",
	"MLFLOW_EXPERIMENT_NAME":           "e",
	"MLFLOW_MODEL_NAME":                "m",
	"CHURN_LIGHTGBM":                   "/lib.so",
	"CHURN_STATE_DIR":                  "/state",
	"CHURN_CONCURRENCY":                "9",
	"CHURN_WORKER_MEMORY":              "9",
	"CHURN_TIMEOUT":                    "2m0s",
	"CHURN_TRAINER_LISTEN":             "0.0.0.0:7300",
	"CHURN_TRAINER_PEERS":              "trainer-1:7300,trainer-2:7300",
	"CHURN_TRAINER_SECRET":             "trainer-hunter2",
	"HTTP_ADDR":                        "127.0.0.1:9100",
	"NOTIFY_SLACK_URL":                 "https://hooks.slack.com/slack-hunter2",
	"NOTIFY_SMTP_URL":                  "smtp://churn:smtp-hunter2@mail:587",
	"NOTIFY_EMAIL_FROM":                "churn@example.com",
	"NOTIFY_EMAIL_TO":                  "ada@example.com,grace@example.com",
	"NOTIFY_WEBHOOK_URL":               "https://example.com/hook-hunter2",
	"NOTIFY_WEBHOOK_SECRET":            "whsec_hunter2",
	"NOTIFY_ROUTES":                    "failed=slack",
	"NOTIFY_TEMPLATES":                 "/templates",
	"NOTIFY_MAX_AGE":                   "1h0m0s",
	"NOTIFY_CA":                        "/notify.pem",
	"LOG_LEVEL":                        "debug",
	"LOG_FORMAT":                       "json",
	"OTEL_EXPORTER_OTLP_ENDPOINT":      "http://collector:4318",
}

// secrets are the values that must not be seen.
var secrets = []string{
	sample["KAFKA_PASSWORD"], sample["AWS_SECRET_ACCESS_KEY"],
	sample["MLFLOW_TRACKING_PASSWORD"], sample["MLFLOW_TRACKING_TOKEN"], sample["DATABRICKS_TOKEN"],
	sample["CHURN_TRAINER_SECRET"],
	sample["NOTIFY_SLACK_URL"], sample["NOTIFY_SMTP_URL"], sample["NOTIFY_WEBHOOK_URL"], sample["NOTIFY_WEBHOOK_SECRET"],
}

// names are the settings of the table.
func names() []string {
	var names []string
	for _, kv := range (config.Config{}).Environ() {
		name, _, _ := strings.Cut(kv, "=")
		names = append(names, name)
	}
	return names
}

// clear unsets every setting for the test.
func clear(t *testing.T) {
	t.Helper()
	for _, name := range names() {
		t.Setenv(name, "")
	}
}

func setenv(t *testing.T, env map[string]string) {
	t.Helper()
	clear(t)
	for name, value := range env {
		t.Setenv(name, value)
	}
}

// dotenv writes a file of settings.
func dotenv(t *testing.T, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test.env")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t *testing.T, envFile string, args ...string) (config.Config, error) {
	t.Helper()
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	config.Flags(flags)
	if err := flags.Parse(args); err != nil {
		return config.Config{}, err
	}
	return config.Load(flags, envFile)
}

func mustLoad(t *testing.T, envFile string, args ...string) config.Config {
	t.Helper()
	c, err := load(t, envFile, args...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// environ is the configuration as a map.
func environ(c config.Config) map[string]string {
	m := map[string]string{}
	for _, kv := range c.Environ() {
		name, value, _ := strings.Cut(kv, "=")
		m[name] = value
	}
	return m
}

func TestDefaults(t *testing.T) {
	clear(t)
	got := mustLoad(t, "")
	want := config.Config{
		TopicPrefix: "churn.", Kafka: config.Kafka{SessionTimeout: 10 * time.Second}, S3Region: "us-east-1", Bucket: "churn",
		StateDir: ".churn", Concurrency: 4, Timeout: 15 * time.Minute, Notify: config.Notify{MaxAge: 24 * time.Hour}, HTTPAddr: "127.0.0.1:0", LogLevel: zapcore.InfoLevel, LogFormat: "auto",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the defaults are\n%s", got)
	}
	if want := churn.DefaultPrefix; got.TopicPrefix != want {
		t.Errorf("the prefix is %q, not %q", got.TopicPrefix, want)
	}
}

// The sample names every setting, and sets every field.
func TestEverySettingIsLoaded(t *testing.T) {
	if got := slices.Sorted(maps.Keys(sample)); !slices.Equal(got, slices.Sorted(slices.Values(names()))) {
		t.Fatalf("the sample names %v", got)
	}
	setenv(t, sample)
	c := mustLoad(t, "")
	eachField(reflect.ValueOf(c), "", func(name string, v reflect.Value) {
		if v.IsZero() && name != ".Log" {
			t.Errorf("%s is not set", name)
		}
	})
	if got := environ(c); !maps.Equal(got, sample) {
		t.Errorf("it is %v", got)
	}
}

func eachField(v reflect.Value, name string, f func(string, reflect.Value)) {
	for i := range v.NumField() {
		field, name := v.Field(i), name+"."+v.Type().Field(i).Name
		if field.Kind() == reflect.Struct {
			eachField(field, name, f)
			continue
		}
		f(name, field)
	}
}

// A process that is given Environ has the same configuration.
func TestEnvironRoundTrip(t *testing.T) {
	off := maps.Clone(sample)
	off["HTTP_ADDR"] = "off"
	for _, env := range []map[string]string{{}, sample, off} {
		setenv(t, env)
		c := mustLoad(t, "")
		setenv(t, environ(c))
		if again := mustLoad(t, ""); !reflect.DeepEqual(c, again) {
			t.Errorf("%v has become\n%v", c.Environ(), again.Environ())
		}
	}
}

// Of each setting: flags over environment over file over default; what is empty
// in the environment or the file is not set there.
func TestPrecedence(t *testing.T) {
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	config.Flags(flags)
	flagOf := map[string]string{}
	flags.VisitAll(func(f *pflag.Flag) {
		env := regexp.MustCompile(`\(([A-Z0-9_]+)\)$`).FindStringSubmatch(f.Usage)
		if env == nil {
			t.Fatalf("--%s does not say its variable: %s", f.Name, f.Usage)
		}
		flagOf[env[1]] = f.Name
	})
	clear(t)
	defaults := environ(mustLoad(t, ""))
	for name, value := range sample {
		t.Run(name, func(t *testing.T) {
			clear(t)
			check := func(what, envFile, want string, args ...string) {
				t.Helper()
				if got := environ(mustLoad(t, envFile, args...))[name]; got != want {
					t.Errorf("%s: %q, not %q", what, got, want)
				}
			}
			other := other(name)
			file := dotenv(t, "# comment", name+"='"+other+"'", "UNKNOWN=ignored")
			check("file", file, other)
			check("empty in the file", dotenv(t, name+"="), defaults[name])
			t.Setenv(name, value)
			check("environment over file", file, value)
			flag, ok := flagOf[name]
			if secret := slices.Contains(secrets, value) || name == "AWS_ACCESS_KEY_ID"; secret == ok {
				t.Fatalf("there is a flag: %v", ok)
			}
			if ok {
				check("flag over both", file, other, "--"+flag+"="+other)
			}
			t.Setenv(name, "")
			check("empty in the environment", file, other)
		})
	}
}

// other is a second value of a setting.
func other(name string) string {
	switch name {
	case "KAFKA_TLS":
		return "true"
	case "KAFKA_SASL_MECHANISM":
		return "PLAIN"
	case "KAFKA_REPLICATION_FACTOR", "CHURN_CONCURRENCY", "CHURN_WORKER_MEMORY":
		return "7"
	case "KAFKA_SESSION_TIMEOUT", "CHURN_TIMEOUT", "NOTIFY_MAX_AGE":
		return "7s"
	case "MLFLOW_TRACKING_URI", "DATABRICKS_HOST", "OTEL_EXPORTER_OTLP_ENDPOINT", "MLFLOW_S3_ENDPOINT_URL":
		return "http://other:7"
	case "HTTP_ADDR", "CHURN_TRAINER_LISTEN":
		return "off"
	case "LOG_LEVEL":
		return "error"
	case "LOG_FORMAT":
		return "console"
	}
	return "other"
}

func TestForms(t *testing.T) {
	clear(t)
	if c := mustLoad(t, "", "--kafka-tls"); !c.Kafka.TLS {
		t.Error("--kafka-tls without a value is not true")
	}
	if c := mustLoad(t, "", "--kafka-tls=false", "--http-addr", "off"); c.Kafka.TLS || c.HTTPAddr != "" {
		t.Errorf("TLS %v, HTTP %q", c.Kafka.TLS, c.HTTPAddr)
	}
	if c := mustLoad(t, "", "--kafka-brokers", " a:1 ,, b:2,"); !slices.Equal(c.Brokers, []string{"a:1", "b:2"}) {
		t.Errorf("the brokers are %q", c.Brokers)
	}
	if c := mustLoad(t, "", "--s3-endpoint", "https://s3/", "--mlflow-tracking-uri", "http://m:1//"); c.S3Endpoint != "https://s3" || c.TrackingURI != "http://m:1" {
		t.Errorf("the links are %q and %q", c.S3Endpoint, c.TrackingURI)
	}
	if c := mustLoad(t, "", "--mlflow-tracking-uri", "databricks"); c.TrackingURI != config.Databricks {
		t.Errorf("the tracking URI is %q", c.TrackingURI)
	}
	if c := mustLoad(t, "", "--bucket", " b\n"); c.Bucket != "b" {
		t.Errorf("the bucket is %q", c.Bucket)
	}
}

// What is wrong names the setting and where it was made.
func TestBadValues(t *testing.T) {
	for name, values := range map[string][]string{
		"CHURN_TOPIC_PREFIX":          {"a/b", "ä", "a b", strings.Repeat("x", 151)},
		"KAFKA_TLS":                   {"maybe", "2"},
		"KAFKA_SASL_MECHANISM":        {"GSSAPI", "plain"},
		"KAFKA_REPLICATION_FACTOR":    {"-1", "101", "three", "1.5"},
		"KAFKA_SESSION_TIMEOUT":       {"10", "0s", "-1s", "soon"},
		"MLFLOW_S3_ENDPOINT_URL":      {"minio:9000", "ftp://s3", "http://"},
		"MLFLOW_TRACKING_URI":         {"mlflow", "file:///x", "http://%zz", "databricks://profile"},
		"DATABRICKS_HOST":             {"workspace"},
		"CHURN_CONCURRENCY":           {"0", "1025", "many"},
		"CHURN_WORKER_MEMORY":         {"-1", "4GiB", "1.5"},
		"CHURN_TIMEOUT":               {"0", "15", "9999999999h"},
		"CHURN_TRAINER_LISTEN":        {"7300", "a:b:c"},
		"HTTP_ADDR":                   {"9100", "a:b:c"},
		"LOG_LEVEL":                   {"loud", "panic", "fatal"},
		"LOG_FORMAT":                  {"xml", "JSON"},
		"OTEL_EXPORTER_OTLP_ENDPOINT": {"collector:4318"},
	} {
		for _, value := range values {
			clear(t)
			t.Setenv(name, value)
			_, err := load(t, "")
			bad(t, err, name)
			if strings.Contains(fmt.Sprint(err), ".env") {
				t.Errorf("%s=%q: not the environment's: %v", name, value, err)
			}
			clear(t)
			file := dotenv(t, name+"='"+value+"'")
			_, err = load(t, file)
			bad(t, err, name+" in "+file)
		}
	}
	clear(t)
	for _, args := range [][]string{{"--concurrency", "0"}, {"--http-addr=x"}, {"--log-level", "loud"}} {
		if _, err := load(t, "", args...); err == nil || !strings.Contains(err.Error(), strings.Split(args[0], "=")[0]) {
			t.Errorf("%v: %v", args, err)
		}
	}
}

// bad fails the test unless the error is Invalid and says the words.
func bad(t *testing.T, err error, words ...string) {
	t.Helper()
	if !churn.IsKind(err, churn.Invalid) {
		t.Errorf("error is %v, not Invalid with %q", err, words)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error does not say %q: %v", word, err)
		}
	}
}

func TestEnvFile(t *testing.T) {
	clear(t)
	t.Chdir(t.TempDir())
	if _, err := load(t, ".env"); err != nil {
		t.Errorf("without .env: %v", err)
	}
	_, err := load(t, "other.env")
	bad(t, err, "other.env", "no such file")
	if err := os.WriteFile(".env", []byte("CHURN_BUCKET=from-file\nexport MLFLOW_MODEL_NAME=\"m\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c := mustLoad(t, ".env"); c.Bucket != "from-file" || c.Model != "m" {
		t.Errorf("bucket %q, model %q", c.Bucket, c.Model)
	}
	if c := mustLoad(t, ""); c.Bucket != "churn" {
		t.Errorf("with no file the bucket is %q", c.Bucket)
	}
	if err := os.Mkdir("folder.env", 0o700); err != nil {
		t.Fatal(err)
	}
	_, err = load(t, "folder.env")
	bad(t, err, "folder.env")

	// What cannot be parsed is not quoted: it may hold secrets.
	for _, text := range []string{"AWS_SECRET_ACCESS_KEY: \"hunter2", "hunter2\n", "A='hunter2", "A=\"hunter2\nB=1", "!hunter2=x"} {
		if err := os.WriteFile("bad.env", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := load(t, "bad.env")
		bad(t, err, "bad.env", "NAME=value")
		if strings.Contains(fmt.Sprint(err), "hunter2") {
			t.Errorf("%q: the error quotes the file: %v", text, err)
		}
	}
}

// Secrets are seen nowhere but in the environment for child processes.
func TestSecretsAreNotSeen(t *testing.T) {
	setenv(t, sample)
	c := mustLoad(t, "")
	c.Log = zap.NewNop()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	object := zapcore.NewMapObjectEncoder()
	if err := c.MarshalLogObject(object); err != nil {
		t.Fatal(err)
	}
	shown := map[string]string{
		"JSON": string(text), "zap object": fmt.Sprint(object.Fields), "zap any": logged(t, zap.Any("c", c)), "zap Kafka": logged(t, zap.Any("k", c.Kafka)),
		"zap secret": logged(t, zap.Any("s", c.S3SecretKey)), "zap pointer": logged(t, zap.Any("s", &c)), "zap stringer": logged(t, zap.Stringer("s", c.S3SecretKey)),
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		shown[verb] = fmt.Sprintf(verb, c)
		shown["pointer "+verb] = fmt.Sprintf(verb, &c)
		shown["Kafka "+verb] = fmt.Sprintf(verb, c.Kafka)
		shown["secret "+verb] = fmt.Sprintf(verb, c.S3SecretKey)
		shown["in a struct "+verb] = fmt.Sprintf(verb, struct{ C config.Config }{c})
	}
	for what, s := range shown {
		for _, secret := range secrets {
			if strings.Contains(s, secret) || strings.Contains(s, fmt.Sprintf("%x", secret)) {
				t.Errorf("%s shows a secret: %s", what, s)
			}
		}
	}
	if !strings.Contains(c.String(), "AWS_SECRET_ACCESS_KEY=********\n") || !strings.Contains(c.String(), "KAFKA_USERNAME=ada\n") {
		t.Errorf("it shows as\n%s", c)
	}
	if got := config.Secret("").String(); got != "" {
		t.Errorf("no secret shows as %q", got)
	}
	if got := environ(c)["KAFKA_PASSWORD"]; got != secrets[0] {
		t.Errorf("a child process gets %q", got)
	}

	// A password on the command line is refused without being repeated.
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	config.Flags(flags)
	if err := flags.Parse([]string{"--kafka-password=kafka-hunter2"}); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("error is %v", err)
	}
	for _, name := range []string{"MLFLOW_S3_ENDPOINT_URL", "MLFLOW_TRACKING_URI", "OTEL_EXPORTER_OTLP_ENDPOINT"} {
		clear(t)
		t.Setenv(name, "http://user:hunter2@host:1")
		_, err := load(t, "")
		bad(t, err, name, "without credentials")
		if strings.Contains(fmt.Sprint(err), "hunter2") {
			t.Errorf("the error shows a secret: %v", err)
		}
	}
}

// logged is a field as it is logged in JSON.
func logged(t *testing.T, f zapcore.Field) string {
	t.Helper()
	line, err := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()).EncodeEntry(zapcore.Entry{}, []zapcore.Field{f})
	if err != nil {
		t.Fatal(err)
	}
	return line.String()
}

func TestValidateNamesWhatIsMissing(t *testing.T) {
	clear(t)
	bad(t, mustLoad(t, "").Validate(), "KAFKA_BROKERS", "MLFLOW_S3_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "--help")
	t.Setenv("KAFKA_BROKERS", "a:1")
	err := mustLoad(t, "").Validate()
	bad(t, err, "AWS_ACCESS_KEY_ID")
	if strings.Contains(err.Error(), "KAFKA_BROKERS") || strings.Contains(err.Error(), "LOG_LEVEL") {
		t.Errorf("it names too much: %v", err)
	}
	setenv(t, sample)
	if err := mustLoad(t, "").Validate(); err != nil {
		t.Error(err)
	}
}

func TestHelpDescribesEverySetting(t *testing.T) {
	help := config.Help()
	for _, name := range names() {
		if !strings.Contains(help, "  "+name+"\n      ") {
			t.Errorf("%s is not described", name)
		}
	}
	for _, words := range []string{"brokers as host:port, separated by commas (required)", "(default 15m)", "(default churn.)"} {
		if !strings.Contains(help, words) {
			t.Errorf("it does not say %q:\n%s", words, help)
		}
	}
}

// The example for a .env holds every setting, commented out, and nothing else.
func TestExampleOfDotenv(t *testing.T) {
	text, err := os.ReadFile(filepath.FromSlash("../../.env.example"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(text)) {
		if m := regexp.MustCompile(`^#?([A-Z0-9_]+)=(.*)`).FindStringSubmatch(line); m != nil {
			got = append(got, m[1])
			if !strings.HasPrefix(line, "#") {
				t.Errorf("%s is not commented out", m[1])
			}
			if strings.Contains(m[1], "SECRET") && m[2] != "" {
				t.Errorf("%s has a value", m[1])
			}
		}
	}
	if want := names(); !slices.Equal(got, want) {
		t.Errorf("it holds %v\n     not %v", got, want)
	}
	// And what it says is understood.
	clear(t)
	uncommented := regexp.MustCompile(`(?m)^#([A-Z0-9_]+=)`).ReplaceAllString(string(text), "$1")
	if _, err := load(t, dotenv(t, uncommented)); err != nil {
		t.Error(err)
	}
}
