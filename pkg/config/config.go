// Package config is the configuration of every program of the pipeline: flags
// over environment over a .env file over defaults, from one table of settings.
package config

import (
	"errors"
	"os"
	"strings"
	"time"

	"github.com/joho/godotenv"
	"github.com/spf13/pflag"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/asfotec/churn/pkg/churn"
)

// Version of the programs, set by the linker.
var Version = "unknown"

// Config holds every setting. Printed, logged or encoded it shows no secret.
type Config struct {
	Brokers     []string // empty: churnctl runs its embedded local stack
	TopicPrefix string
	Kafka       Kafka

	S3Endpoint  string
	S3AccessKey string
	S3SecretKey Secret
	S3Region    string
	Bucket      string
	S3CA        string // path of a PEM file

	TrackingURI string // empty: the registry in the object store; or Databricks
	MLflow      MLflow
	Experiment  string // empty: the dataset spec's
	Model       string // empty: the dataset spec's

	LightGBM    string // path of lib_lightgbm.so; empty: searched for
	StateDir    string // of the embedded local stack
	Concurrency int    // partitions that a stage handles at a time
	Timeout     time.Duration
	// WorkerMemory is how many MiB a training may allocate; 0: as many as there are.
	WorkerMemory int
	Trainers     Trainers
	HTTPAddr     string // of /metrics, /healthz and /readyz; empty: none

	Notify Notify

	LogLevel     zapcore.Level
	LogFormat    string
	OTLPEndpoint string // empty: no traces are exported

	// Log is not a setting: what the parts made from this Config log to. Nil
	// means nowhere.
	Log *zap.Logger `json:"-"`
}

// Kafka says how to be let in by the brokers.
type Kafka struct {
	TLS               bool // with the system's roots, unless CA is set
	CA, Cert, Key     string
	Mechanism         string
	Username          string
	Password          Secret
	ReplicationFactor int
	SessionTimeout    time.Duration
}

// MLflow says how to be let in by the tracking server.
type MLflow struct {
	CA       string // path of a PEM file
	Username string
	Password Secret
	Token    Secret

	DatabricksHost  string // if the tracking URI is Databricks
	DatabricksToken Secret
}

// Trainers says how trainers train one model together; see services/trainer.
type Trainers struct {
	Listen string   // where this one lends workers; empty: nowhere
	Peers  []string // who lend them to this one; empty: nobody
	Secret Secret
}

// Notify says who is told of what becomes of runs; see services/notifier. URLs
// are secrets: they let in whoever knows them.
type Notify struct {
	SlackURL      Secret
	SMTPURL       Secret
	EmailFrom     string
	EmailTo       []string
	WebhookURL    Secret
	WebhookSecret Secret
	Routes        string        // empty: every channel is told of every outcome
	Templates     string        // folder; empty: the built-in ones
	MaxAge        time.Duration // nobody is told of older outcomes
	CA            string        // path of a PEM file; beside the system's authorities
}

// Databricks is the tracking URI of the workspace that DATABRICKS_HOST names.
const Databricks = "databricks"

// Flags adds the settings as flags, but for secrets: command lines are there for
// every user of the machine to see.
func Flags(flags *pflag.FlagSet) {
	for _, s := range settings {
		if s.flag != "" {
			v := s.of(new(Config))
			f := flags.VarPF(v, s.flag, "", s.help+" ("+s.env+")")
			f.DefValue = s.value
			if _, ok := v.(*boolean); ok {
				f.NoOptDefVal = "true" // the flag may stand without a value
			}
		}
	}
}

// Load returns the configuration: flags that were given over the environment
// over the file envFile over defaults. A variable that is set but empty counts
// as not set. The file may be missing if it is named ".env"; an empty name means
// none. An error is Invalid and names the setting and where it was made.
//
// Load checks each setting by itself. What must be there is checked when it is
// needed: see Validate, Bus and Store.
func Load(flags *pflag.FlagSet, envFile string) (Config, error) {
	const op = "config.Load"
	file, err := readEnv(envFile)
	if err != nil {
		return Config{}, churn.Errorf(op, churn.Invalid, "%s: %w", envFile, err)
	}
	var c Config
	for _, s := range settings {
		value, source := s.find(flags, file, envFile)
		if err := s.of(&c).Set(value); err != nil {
			return Config{}, churn.Errorf(op, churn.Invalid, "%s: %w", source, err)
		}
	}
	return c, nil
}

func readEnv(name string) (map[string]string, error) {
	if name == "" {
		return nil, nil
	}
	file, err := godotenv.Read(name)
	var path *os.PathError
	if errors.Is(err, os.ErrNotExist) && name == ".env" {
		return nil, nil
	}
	if err != nil && !errors.As(err, &path) {
		// The parser's message quotes the file, which may hold secrets.
		err = errors.New("it is not made of lines NAME=value")
	}
	return file, err
}

// find returns the setting's value and where it was made.
func (s setting) find(flags *pflag.FlagSet, file map[string]string, envFile string) (value, source string) {
	if flags != nil && s.flag != "" {
		if f := flags.Lookup(s.flag); f != nil && f.Changed {
			return f.Value.String(), "--" + s.flag
		}
	}
	if v := os.Getenv(s.env); v != "" {
		return v, s.env
	}
	if v := file[s.env]; v != "" {
		return v, s.env + " in " + envFile
	}
	return s.value, s.env
}

// Validate returns an Invalid error that names every setting that a service
// needs and that is missing.
func (c Config) Validate() error {
	var missing []string
	for _, s := range settings {
		if s.required && s.of(&c).String() == "" {
			missing = append(missing, s.env)
		}
	}
	if len(missing) > 0 {
		return churn.Errorf("config.Validate", churn.Invalid, "not set: %s; --help says what they mean", strings.Join(missing, ", "))
	}
	return nil
}

// String lists the settings, one a line, without secrets.
func (c Config) String() string {
	var b strings.Builder
	for _, s := range settings {
		b.WriteString(s.env + "=" + s.of(&c).String() + "\n")
	}
	return b.String()
}

// MarshalLogObject lets zap log the configuration, without secrets.
func (c Config) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	for _, s := range settings {
		enc.AddString(s.env, s.of(&c).String())
	}
	return nil
}

// Environ returns the settings as NAME=value, secrets included: the environment
// of a process that is to use the same parts.
func (c Config) Environ() []string {
	var env []string
	for _, s := range settings {
		v := s.of(&c)
		if secret, ok := v.(*Secret); ok {
			env = append(env, s.env+"="+string(*secret))
			continue
		}
		env = append(env, s.env+"="+v.String())
	}
	return env
}
