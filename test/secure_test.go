package test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	kafka "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl/scram"

	"github.com/asfotec/churn/pkg/blob/s3"
	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/config"
	"github.com/asfotec/churn/pkg/realstack"
	"github.com/asfotec/churn/pkg/stage"
)

// secure is Apache Kafka and MinIO by TLS, with a user for each service, who may
// do there what `churnctl acls` and `churnctl bucket policy` say.
type secure struct {
	kafka *realstack.Broker
	store *realstack.Store
}

// admin administers the brokers.
const admin churn.Service = "admin"

// secret is a user's password for Kafka, and secret key for MinIO.
func secret(user churn.Service) string { return "hunter2-" + string(user) }

func startSecure(t *testing.T) secure {
	t.Helper()
	users := map[string]string{}
	for _, u := range append(churn.Users(), admin) {
		users[string(u)] = secret(u)
	}
	return secure{
		kafka: realstack.Kafka(t, realstack.KafkaConfig{Secure: true, Users: users, Properties: map[string]string{"super.users": "User:ANONYMOUS;User:admin"}}),
		store: realstack.MinIO(t, realstack.MinIOConfig{TLS: true}),
	}
}

// as returns the settings of a user.
func (s secure) as(user churn.Service) settings {
	return settings{
		"KAFKA_BROKERS": s.kafka.SecureAddr, "KAFKA_TLS_CA": s.kafka.CAFile,
		"KAFKA_SASL_MECHANISM": "SCRAM-SHA-512", "KAFKA_USERNAME": string(user), "KAFKA_PASSWORD": secret(user),
		"MLFLOW_S3_ENDPOINT_URL": s.store.Endpoint, "AWS_CA_BUNDLE": s.store.CAFile,
		"AWS_ACCESS_KEY_ID": string(user), "AWS_SECRET_ACCESS_KEY": secret(user),
	}
}

// asAdmin returns the settings of who administers Kafka and MinIO.
func (s secure) asAdmin() settings {
	return s.as(admin).with(settings{"AWS_ACCESS_KEY_ID": s.store.AccessKey, "AWS_SECRET_ACCESS_KEY": s.store.SecretKey})
}

func TestLeastPrivilege(t *testing.T) {
	t.Parallel()
	s := startSecure(t)
	t.Run("provisioned", s.testProvisioned)
	t.Run("topics", s.testTopics)
	t.Run("refused by Kafka", s.testRefusedByKafka)
	t.Run("refused by MinIO", s.testRefusedByMinIO)
	t.Run("examined", s.testExamined)
	t.Run("missing bucket", s.testMissingBucket)
	t.Run("promoted", s.testPromoted)
	t.Run("promoted in MLflow", s.testPromotedInMLflow)
}

// churnctl provisions the parts, and then finds nothing to provision.
func (s secure) testProvisioned(t *testing.T) {
	stack := newStack(t, s.asAdmin().environ()...)
	for _, what := range []string{"topics", "acls", "bucket"} {
		stack.want(1, nil, what, "verify")
		stack.want(0, nil, what, "apply")
		stack.want(0, nil, what, "verify")
		stack.want(0, nil, what, "apply")
	}
	var plan struct{ Missing, Beside []bus.ACL }
	stack.want(0, &plan, "acls", "plan")
	if len(plan.Missing)+len(plan.Beside) > 0 {
		t.Errorf("ACLs other than planned: %+v", plan)
	}
	users := map[churn.Service]map[string]any{}
	for _, u := range churn.Users() {
		var policy map[string]any
		stack.want(0, &policy, "bucket", "policy", string(u))
		users[u] = map[string]any{"secret": secret(u), "policy": policy}
	}
	s.addUsers(t, users)
}

// addUsers makes users of MinIO.
func (s secure) addUsers(t *testing.T, users map[churn.Service]map[string]any) {
	t.Helper()
	text, err := json.Marshal(users)
	if err != nil {
		t.Fatal(err)
	}
	add := exec.Command(filepath.Join(root, "services/modelservice/.venv/bin/python"), filepath.Join(root, "test/minio_users.py"), //nolint:gosec // the test's own
		strings.TrimPrefix(s.store.Endpoint, "https://"), s.store.AccessKey)
	add.Env = append(cleanEnv(), "MINIO_ROOT_PASSWORD="+s.store.SecretKey, "SSL_CERT_FILE="+s.store.CAFile)
	add.Stdin = bytes.NewReader(text)
	if out, err := add.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// Each service, by its own credentials and no others', does its part of a run;
// what is promoted is served.
func (s secure) testPromoted(t *testing.T) {
	client := s.serviced(t, nil)
	serving := realStack{aStack: newStack(t, s.as(churn.ModelService).environ()...)}
	url := serving.serve()
	var d runDetail
	client.want(0, &d, request("first")...)
	if d.Status != "promoted" || d.Version != 1 {
		t.Errorf("status %s, version %d", d.Status, d.Version)
	}
	awaitVersion(t, url, 1)
	client.want(0, nil, request("second", "--num-leaves", "31", "--dry-run")...) // beside a champion
	client.want(0, nil, "show", d.Run, "--download", t.TempDir())
	client.want(0, nil, "models")
	s.nothingPutAside(t, client)
}

// Nor does the registry in MLflow ask for more.
func (s secure) testPromotedInMLflow(t *testing.T) {
	mlflow := realstack.MLflow(t, realstack.MLflowConfig{})
	client := s.serviced(t, settings{"MLFLOW_TRACKING_URI": mlflow.URI, "MLFLOW_MODEL_NAME": "in-mlflow"})
	var d runDetail
	client.want(0, &d, request("in-mlflow")...)
	if d.Status != "promoted" || d.Version != 1 {
		t.Errorf("status %s, version %d", d.Status, d.Version)
	}
	s.nothingPutAside(t, client)
}

// serviced starts the services, each as its own user, and returns a stack whose
// commands are the client's.
func (s secure) serviced(t *testing.T, more settings) *aStack {
	for _, service := range churn.Stages() {
		newStack(t, s.as(service).with(more).environ()...).background(string(service), "--env-file", "")
	}
	return newStack(t, s.as(churn.Client).with(more).environ()...)
}

// nothingPutAside checks that nothing was refused and put aside for it.
func (s secure) nothingPutAside(t *testing.T, client *aStack) {
	t.Helper()
	super := newStack(t, s.asAdmin().environ()...)
	for _, service := range churn.Stages() {
		for _, topic := range []churn.Topic{service.DeadLetterTopic(), service.RetryTopic()} {
			if records := super.want(0, nil, "events", string(topic), "-o", "json").stdout; records != "" {
				t.Errorf("%s has %s", topic, records)
			}
		}
	}
}

// A bucket that is not there, and may not be made, ends every program with its
// setting's name.
func (s secure) testMissingBucket(t *testing.T) {
	for program, user := range map[string]churn.Service{
		"featurizer": churn.Featurizer, "featurizer --check": churn.Featurizer, "doctor": churn.Client, "retrain": churn.Client,
		"modelservice": churn.ModelService,
	} {
		code, said := s.as(user).with(settings{"CHURN_BUCKET": "missing", "LOG_FORMAT": "json"}).end(t, program)
		if code != 1 && code != 2 || !strings.Contains(said, "CHURN_BUCKET") {
			t.Errorf("%s: exit code %d, it says:\n%s", program, code, said)
		}
	}
}

// The doctor finds each service's rights, and says which are missing where they
// are another's.
func (s secure) testExamined(t *testing.T) {
	for _, user := range churn.Users() {
		var findings []finding
		newStack(t, s.as(user).environ()...).want(0, &findings, "doctor", "--as", string(user))
		for _, f := range findings {
			mayNotProbe := user == churn.ModelService && f.Check == "write-once"
			if (f.Status != "ok") != mayNotProbe {
				t.Errorf("%s: %+v", user, f)
			}
		}
	}
	var findings []finding
	newStack(t, s.as(churn.Trainer).environ()...).want(1, &findings, "doctor", "--as", "gate")
	for _, f := range findings {
		for _, lacks := range []string{"write topic churn.model-promoted", "read topic churn.model-evaluated", "read group churn.gate"} {
			if f.Check == "permissions" && !strings.Contains(f.Found, lacks) {
				t.Errorf("it does not say %q: %s", lacks, f.Found)
			}
		}
	}
	code, said := s.as(churn.Gate).with(settings{"LOG_FORMAT": "json"}).end(t, "featurizer")
	if code != 1 || !strings.Contains(said, "churn.retrain-requested") {
		t.Errorf("the featurizer as gate: exit code %d, it says:\n%s", code, said)
	}
}

// attempts counts what was tried, and fails the test where the answer is not
// what the permissions say.
type attempts struct {
	t                *testing.T
	allowed, refused int
}

// is notes an attempt; refused is whether it was, by err.
func (a *attempts) is(allowed, refused bool, err error, format string, args ...any) {
	a.t.Helper()
	if allowed == refused {
		a.t.Errorf("%s: allowed %v, and the answer is %v", fmt.Sprintf(format, args...), allowed, err)
	}
	if refused {
		a.refused++
	} else {
		a.allowed++
	}
}

// were checks how many attempts there were, so that none is left out unseen.
func (a *attempts) were(refused, allowed int) {
	a.t.Helper()
	if a.refused != refused || a.allowed != allowed {
		a.t.Errorf("%d were refused and %d allowed, not %d and %d", a.refused, a.allowed, refused, allowed)
	}
}

// Nobody reads or writes a topic, or joins a group, of whom the topology does not
// say so; nobody makes or deletes topics, or gives rights.
func (s secure) testRefusedByKafka(t *testing.T) {
	tried := &attempts{t: t}
	for _, user := range churn.Users() {
		p := user.Permissions()
		for _, c := range stage.Topics(churn.DefaultPrefix) {
			i := slices.IndexFunc(p.Topics, func(a churn.TopicAccess) bool { return a.Topic.Name(churn.DefaultPrefix) == c.Name })
			may := churn.TopicAccess{}
			if i >= 0 {
				may = p.Topics[i]
			}
			s.tryTopic(tried, user, c.Name, may)
		}
		client := s.client(t, user)
		for _, of := range churn.Stages() {
			if group := stage.Group(of, churn.DefaultPrefix); p.Group != string(of) { // else it would have to leave
				joined, err := client.JoinGroup(t.Context(), &kafka.JoinGroupRequest{GroupID: group, ProtocolType: "consumer", SessionTimeout: 10 * time.Second})
				if err == nil {
					err = joined.Error
				}
				tried.is(false, errors.Is(err, kafka.GroupAuthorizationFailed), err, "%s joins %s", user, group)
			}
		}
		s.tryToAdminister(tried, user, client)
	}
	tried.were(309, 40)
}

// client returns a client of Kafka that is the user.
func (s secure) client(t *testing.T, user churn.Service) *kafka.Client {
	d := s.dialer(t, user)
	transport := &kafka.Transport{TLS: d.TLS, SASL: d.SASLMechanism}
	t.Cleanup(transport.CloseIdleConnections)
	return &kafka.Client{Addr: kafka.TCP(s.kafka.SecureAddr), Transport: transport}
}

func (s secure) dialer(t *testing.T, user churn.Service) *kafka.Dialer {
	t.Helper()
	pem, err := os.ReadFile(s.kafka.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	mechanism, err := scram.Mechanism(scram.SHA512, string(user), secret(user))
	if err != nil {
		t.Fatal(err)
	}
	return &kafka.Dialer{TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, SASLMechanism: mechanism}
}

// tryTopic asks the broker itself: what a client knows of topics would keep it
// from asking for one that is hidden. What may be written is not: it would be
// taken for an event.
func (s secure) tryTopic(tried *attempts, user churn.Service, topic string, may churn.TopicAccess) {
	err := s.onPartition(tried.t, user, topic, func(c *kafka.Conn) error {
		if _, err := c.Seek(0, kafka.SeekAbsolute|kafka.SeekDontCheck); err != nil {
			return err
		}
		batch := c.ReadBatchWith(kafka.ReadBatchConfig{MinBytes: 1, MaxBytes: 1 << 20, MaxWait: time.Millisecond})
		return errors.Join(batch.Err(), batch.Close())
	})
	tried.is(may.Read, errors.Is(err, kafka.TopicAuthorizationFailed), err, "%s reads %s", user, topic)
	if !may.Write {
		err := s.onPartition(tried.t, user, topic, func(c *kafka.Conn) error {
			_, err := c.WriteMessages(kafka.Message{Value: []byte("no event")})
			return err
		})
		tried.is(false, errors.Is(err, kafka.TopicAuthorizationFailed), err, "%s writes %s", user, topic)
	}
}

// onPartition calls f with a connection of its own for the first partition.
func (s secure) onPartition(t *testing.T, user churn.Service, topic string, f func(*kafka.Conn) error) error {
	t.Helper()
	conn, err := s.dialer(t, user).DialPartition(t.Context(), "tcp", "", kafka.Partition{Topic: topic, Leader: s.broker(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return f(conn)
}

func (s secure) broker(t *testing.T) kafka.Broker {
	t.Helper()
	host, port, err := net.SplitHostPort(s.kafka.SecureAddr)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return kafka.Broker{Host: host, Port: number}
}

// tryToAdminister tries what only who administers the brokers may.
func (s secure) tryToAdminister(tried *attempts, user churn.Service, client *kafka.Client) {
	ctx, own := tried.t.Context(), churn.RetrainRequested.Name(churn.DefaultPrefix)
	made, err := client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{Topic: "churn.own", NumPartitions: 1, ReplicationFactor: 1}}})
	if err == nil {
		err = made.Errors["churn.own"]
	}
	tried.is(false, errors.Is(err, kafka.TopicAuthorizationFailed), err, "%s makes a topic", user)
	deleted, err := client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{own}})
	if err == nil {
		err = deleted.Errors[own]
	}
	tried.is(false, errors.Is(err, kafka.TopicAuthorizationFailed), err, "%s deletes a topic", user)
	given, err := client.CreateACLs(ctx, &kafka.CreateACLsRequest{ACLs: []kafka.ACLEntry{{
		ResourceType: kafka.ResourceTypeTopic, ResourceName: own, ResourcePatternType: kafka.PatternTypeLiteral,
		Principal: "User:" + string(user), Host: "*", Operation: kafka.ACLOperationTypeAll, PermissionType: kafka.ACLPermissionTypeAllow,
	}}})
	if err == nil {
		err = given.Errors[0]
	}
	tried.is(false, errors.Is(err, kafka.ClusterAuthorizationFailed), err, "%s gives itself rights", user)
}

// Nobody reads or creates an object of whose key the permissions do not say so, and
// nobody deletes one.
func (s secure) testRefusedByMinIO(t *testing.T) {
	tried := &attempts{t: t}
	all := s.bucket(t, s.store.AccessKey, s.store.SecretKey)
	keys := sampleKeys()
	for _, key := range keys {
		put(t, all, key)
	}
	for _, user := range churn.Users() {
		own := s.bucket(t, string(user), secret(user))
		for _, key := range keys {
			mayRead, mayCreate := may(user, key)
			_, err := own.StatObject(t.Context(), bucketName, key, minio.StatObjectOptions{})
			tried.is(mayRead, forbidden(err), err, "%s reads %s", user, key)
			_, err = own.PutObject(t.Context(), bucketName, key, strings.NewReader("x"), 1, minio.PutObjectOptions{DisableMultipart: true})
			tried.is(mayCreate, forbidden(err), err, "%s creates %s", user, key)
			err = own.RemoveObject(t.Context(), bucketName, key, minio.RemoveObjectOptions{})
			tried.is(false, forbidden(err), err, "%s deletes %s", user, key)
		}
		missing := churn.ArtifactKey(churn.RunID("another"), churn.Featurizer, churn.PreprocessorJSON) // which everybody may read, but for
		if user == churn.Notifier {
			missing = churn.ArtifactKey(churn.RunID("another"), user, "receipt.json")
		}
		_, err := own.StatObject(t.Context(), bucketName, missing, minio.StatObjectOptions{})
		tried.is(true, minio.ToErrorResponse(err).Code != "NoSuchKey", err, "%s is told that an object is not there", user)
		err = own.SuspendVersioning(t.Context(), bucketName)
		tried.is(false, forbidden(err), err, "%s suspends versioning", user)
		err = own.MakeBucket(t.Context(), string(user), minio.MakeBucketOptions{})
		tried.is(false, forbidden(err), err, "%s makes a bucket", user)
	}
	tried.were(663, 114)
}

const bucketName = "churn"

// bucket returns a client of MinIO that is the user.
func (s secure) bucket(t *testing.T, accessKey, secretKey string) *minio.Client {
	t.Helper()
	store, err := config.Config{
		S3Endpoint: s.store.Endpoint, S3AccessKey: accessKey, S3SecretKey: config.Secret(secretKey), S3CA: s.store.CAFile, Bucket: bucketName,
	}.Store()
	if err != nil {
		t.Fatal(err)
	}
	return store.(*s3.Store).Client()
}

func put(t *testing.T, c *minio.Client, key string) {
	t.Helper()
	if _, err := c.PutObject(t.Context(), bucketName, key, strings.NewReader("x"), 1, minio.PutObjectOptions{DisableMultipart: true}); err != nil {
		t.Fatal(err)
	}
}

func forbidden(err error) bool {
	r := minio.ToErrorResponse(err)
	return r.Code == "AccessDenied" && r.StatusCode == http.StatusForbidden
}

// sampleKeys are of every part of the bucket, and of what looks like one.
func sampleKeys() []string {
	run := churn.RunID("a sample")
	keys := []string{
		churn.DatasetKey("sample"), churn.SpecKey("sample"), churn.ProbeKey, "elsewhere/sample",
		"dlq/featurizer/0-0-sample/0.json", "registry/sample/sample.json", "tracking/sample/" + run + "/mlflow/sample.json",
		churn.ArtifactKey(run, churn.Featurizer, churn.PreprocessorJSON), churn.ArtifactKey(run, churn.Featurizer, churn.FeaturesTable),
		churn.ArtifactKey(run, churn.Trainer, churn.ModelText), churn.ArtifactKey(run, churn.Trainer, "trial-1", churn.ModelText),
	}
	for _, s := range churn.Stages() {
		keys = append(keys,
			churn.ArtifactKey(run, s, "outcome", "sample.json"),
			churn.ArtifactKey(run, "other", string(s), "sample"), // in somebody else's folder
			"tracking/sample/"+run+"/"+string(s)+".json", "tracking/sample/"+run+"/"+string(s)+"-failed.json",
			"tracking/sample/"+run+"/trials/trial-1/"+string(s)+".json")
	}
	return keys
}

// may reads the permissions in another way than the policy does.
func may(user churn.Service, key string) (read, create bool) {
	for _, o := range user.Permissions().Objects {
		pattern := regexp.QuoteMeta(o.Keys)
		pattern = strings.ReplaceAll(pattern, regexp.QuoteMeta(churn.AnyRun), "[0-9a-f-]{36}")
		pattern = strings.ReplaceAll(pattern, regexp.QuoteMeta("*"), ".*")
		if regexp.MustCompile("^" + pattern + "$").MatchString(key) {
			read, create = true, create || o.Write
		}
	}
	return read, create
}
