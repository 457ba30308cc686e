package config

import "fmt"

// setting is one row of the table from which flags, environment, help, checks
// and the printed form are made.
type setting struct {
	env      string
	flag     string // empty: no flag, as for secrets
	value    string // default
	help     string
	required bool // by services
	of       func(*Config) value
}

var settings = []setting{
	{"KAFKA_BROKERS", "kafka-brokers", "", "brokers as host:port, separated by commas", true,
		func(c *Config) value { return (*list)(&c.Brokers) }},
	{"CHURN_TOPIC_PREFIX", "topic-prefix", "churn.", "begins every topic's and group's name", true,
		func(c *Config) value { return (*topicPrefix)(&c.TopicPrefix) }},
	{"KAFKA_TLS", "kafka-tls", "false", "connect to the brokers by TLS; implied by the next three", false,
		func(c *Config) value { return (*boolean)(&c.Kafka.TLS) }},
	{"KAFKA_TLS_CA", "kafka-tls-ca", "", "PEM file of the authorities that the brokers' certificates are checked against", false,
		func(c *Config) value { return (*text)(&c.Kafka.CA) }},
	{"KAFKA_TLS_CERT", "kafka-tls-cert", "", "PEM file of the client certificate", false,
		func(c *Config) value { return (*text)(&c.Kafka.Cert) }},
	{"KAFKA_TLS_KEY", "kafka-tls-key", "", "PEM file of the client certificate's key", false,
		func(c *Config) value { return (*text)(&c.Kafka.Key) }},
	{"KAFKA_SASL_MECHANISM", "kafka-sasl-mechanism", "", "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512; empty for none", false,
		func(c *Config) value {
			return choice{&c.Kafka.Mechanism, []string{"", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}}
		}},
	{"KAFKA_USERNAME", "kafka-username", "", "user name for SASL", false,
		func(c *Config) value { return (*text)(&c.Kafka.Username) }},
	{"KAFKA_PASSWORD", "", "", "password for SASL", false,
		func(c *Config) value { return &c.Kafka.Password }},
	{"KAFKA_REPLICATION_FACTOR", "kafka-replication-factor", "0", "replicas of topics that are made; 0 for the broker's default", false,
		func(c *Config) value { return number{&c.Kafka.ReplicationFactor, 0, 100} }},
	{"KAFKA_SESSION_TIMEOUT", "kafka-session-timeout", "10s", "after which a killed service's partitions go to others", false,
		func(c *Config) value { return (*duration)(&c.Kafka.SessionTimeout) }},

	{"MLFLOW_S3_ENDPOINT_URL", "s3-endpoint", "", "object store as http(s)://host:port", true,
		func(c *Config) value { return (*link)(&c.S3Endpoint) }},
	{"AWS_ACCESS_KEY_ID", "", "", "access key of the object store", true,
		func(c *Config) value { return (*text)(&c.S3AccessKey) }},
	{"AWS_SECRET_ACCESS_KEY", "", "", "secret key of the object store", true,
		func(c *Config) value { return &c.S3SecretKey }},
	{"AWS_REGION", "aws-region", "us-east-1", "region of the object store", false,
		func(c *Config) value { return (*text)(&c.S3Region) }},
	{"AWS_CA_BUNDLE", "aws-ca-bundle", "", "PEM file of the authorities that the object store's certificate is checked against", false,
		func(c *Config) value { return (*text)(&c.S3CA) }},
	{"CHURN_BUCKET", "bucket", "churn", "bucket of the artifacts", true,
		func(c *Config) value { return (*text)(&c.Bucket) }},

	{"MLFLOW_TRACKING_URI", "mlflow-tracking-uri", "", "MLflow server as http(s)://host:port, or databricks; empty keeps the registry in the object store", false,
		func(c *Config) value { return (*trackingURI)(&c.TrackingURI) }},
	{"MLFLOW_TRACKING_SERVER_CERT_PATH", "mlflow-tracking-ca", "", "PEM file of the authorities that MLflow's certificate is checked against", false,
		func(c *Config) value { return (*text)(&c.MLflow.CA) }},
	{"MLFLOW_TRACKING_USERNAME", "mlflow-tracking-username", "", "user name for MLflow's basic authentication", false,
		func(c *Config) value { return (*text)(&c.MLflow.Username) }},
	{"MLFLOW_TRACKING_PASSWORD", "", "", "password for MLflow's basic authentication", false,
		func(c *Config) value { return &c.MLflow.Password }},
	{"MLFLOW_TRACKING_TOKEN", "", "", "bearer token for MLflow, instead of a user", false,
		func(c *Config) value { return &c.MLflow.Token }},
	{"DATABRICKS_HOST", "databricks-host", "", "workspace as https://host, if MLFLOW_TRACKING_URI is databricks", false,
		func(c *Config) value { return (*link)(&c.MLflow.DatabricksHost) }},
	{"DATABRICKS_TOKEN", "", "", "token of the Databricks workspace", false,
		func(c *Config) value { return &c.MLflow.DatabricksToken }},
	{"MLFLOW_EXPERIMENT_NAME", "mlflow-experiment-name", "", "experiment of requests that name none; empty for the dataset spec's", false,
		func(c *Config) value { return (*text)(&c.Experiment) }},
	{"MLFLOW_MODEL_NAME", "mlflow-model-name", "", "model of requests that name none; empty for the dataset spec's", false,
		func(c *Config) value { return (*text)(&c.Model) }},

	{"CHURN_LIGHTGBM", "lightgbm", "", "path of lib_lightgbm.so; empty searches build/lightgbm", false,
		func(c *Config) value { return (*text)(&c.LightGBM) }},
	{"CHURN_STATE_DIR", "state-dir", ".churn", "folder of the embedded local stack", false,
		func(c *Config) value { return (*text)(&c.StateDir) }},
	{"CHURN_CONCURRENCY", "concurrency", "4", "partitions that a stage handles at a time", false,
		func(c *Config) value { return number{&c.Concurrency, 1, 1024} }},
	{"CHURN_TIMEOUT", "stage-timeout", "15m", "longest that a stage may be without progress on an event: more is an attempt that failed", false,
		func(c *Config) value { return (*duration)(&c.Timeout) }},
	{"CHURN_WORKER_MEMORY", "worker-memory", "0", "MiB that the trainer's LightGBM may allocate: more is an attempt that failed; 0 for as many as there are", false,
		func(c *Config) value { return number{&c.WorkerMemory, 0, 1 << 30} }},
	{"CHURN_TRAINER_LISTEN", "trainer-listen", "off", "host:port where a trainer lends workers to others, for models that need more than one machine; \"off\" for nowhere", false,
		func(c *Config) value { return (*address)(&c.Trainers.Listen) }},
	{"CHURN_TRAINER_PEERS", "trainer-peers", "", "trainers that lend workers to this one, as host:port, separated by commas; a name is every machine it stands for", false,
		func(c *Config) value { return (*list)(&c.Trainers.Peers) }},
	{"CHURN_TRAINER_SECRET", "", "", "what trainers let one another in by: 32 characters or more, at random", false,
		func(c *Config) value { return &c.Trainers.Secret }},
	{"HTTP_ADDR", "http-addr", "127.0.0.1:0", "address of /metrics, /healthz and /readyz; \"off\" for none", false,
		func(c *Config) value { return (*address)(&c.HTTPAddr) }},

	{"NOTIFY_SLACK_URL", "", "", "Slack's incoming webhook, https://hooks.slack.com/services/..., that the notifier posts to; empty for none", false,
		func(c *Config) value { return &c.Notify.SlackURL }},
	{"NOTIFY_SMTP_URL", "", "", "mail server as smtp://user:password@host:587 (STARTTLS) or smtps://...:465 (TLS); smtp+plain://host:25 without either; empty for none", false,
		func(c *Config) value { return &c.Notify.SMTPURL }},
	{"NOTIFY_EMAIL_FROM", "notify-email-from", "", "sender of the notifier's e-mails", false,
		func(c *Config) value { return (*text)(&c.Notify.EmailFrom) }},
	{"NOTIFY_EMAIL_TO", "notify-email-to", "", "who gets them, separated by commas", false,
		func(c *Config) value { return (*list)(&c.Notify.EmailTo) }},
	{"NOTIFY_WEBHOOK_URL", "", "", "webhook that the notifier posts JSON to, signed as standardwebhooks.com says; empty for none", false,
		func(c *Config) value { return &c.Notify.WebhookURL }},
	{"NOTIFY_WEBHOOK_SECRET", "", "", "what it is signed with: whsec_ and 24 to 64 bytes in base64", false,
		func(c *Config) value { return &c.Notify.WebhookSecret }},
	{"NOTIFY_ROUTES", "notify-routes", "", "who is told of what, such as \"failed=slack,email rejected=\"; outcomes that are not named go everywhere", false,
		func(c *Config) value { return (*text)(&c.Notify.Routes) }},
	{"NOTIFY_TEMPLATES", "notify-templates", "", "folder of templates that go before the notifier's own", false,
		func(c *Config) value { return (*text)(&c.Notify.Templates) }},
	{"NOTIFY_MAX_AGE", "notify-max-age", "24h", "the notifier says nothing of what happened longer ago", false,
		func(c *Config) value { return (*duration)(&c.Notify.MaxAge) }},
	{"NOTIFY_CA", "notify-ca", "", "PEM file of authorities that the notifier trusts beside the system's", false,
		func(c *Config) value { return (*text)(&c.Notify.CA) }},

	{"LOG_LEVEL", "log-level", "info", "debug, info, warn or error", false,
		func(c *Config) value { return (*level)(&c.LogLevel) }},
	{"LOG_FORMAT", "log-format", "auto", "json, console, or auto: console on a terminal", false,
		func(c *Config) value { return choice{&c.LogFormat, []string{"auto", "json", "console"}} }},
	{"OTEL_EXPORTER_OTLP_ENDPOINT", "otlp-endpoint", "", "OpenTelemetry collector (OTLP over HTTP) as http(s)://host:port; empty exports no traces", false,
		func(c *Config) value { return (*link)(&c.OTLPEndpoint) }},
}

// Help describes every environment variable, one or two lines each.
func Help() string {
	help := ""
	for _, s := range settings {
		by := ""
		if s.value != "" {
			by = fmt.Sprintf(" (default %s)", s.value)
		}
		if s.required && s.value == "" {
			by = " (required)"
		}
		help += fmt.Sprintf("  %s\n      %s%s\n", s.env, s.help, by)
	}
	return help
}
