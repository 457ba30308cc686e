package deploy

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

const (
	chartDir  = "helm/churn"
	release   = "churn"
	namespace = "ml"
)

const leastValues = `
kafka: {brokers: ["kafka:9093"]}
store: {endpoint: "http://minio:9000", existingSecret: churn-store}
`

// render returns the chart's files as Helm renders them with the values.
func render(t *testing.T, values string) (map[string]string, error) {
	t.Helper()
	chart, err := loader.Load(chartDir)
	if err != nil {
		t.Fatal(err)
	}
	options := common.ReleaseOptions{Name: release, Namespace: namespace, Revision: 1, IsInstall: true}
	all, err := util.ToRenderValues(chart, parse(t, values), options, common.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	return engine.Engine{}.RenderWithContext(t.Context(), chart, all)
}

func parse(t *testing.T, values string) map[string]any {
	t.Helper()
	m := map[string]any{}
	if err := yaml.Unmarshal([]byte(values), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// manifest is what would be installed.
type manifest struct {
	objects []object
	notes   string
}

// mustRender renders the chart and reads every object strictly.
func mustRender(t *testing.T, values string) manifest {
	t.Helper()
	files, err := render(t, values)
	if err != nil {
		t.Fatal(err)
	}
	var m manifest
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if strings.HasSuffix(name, "NOTES.txt") {
			m.notes = files[name]
			continue
		}
		for _, doc := range documents(t, files[name]) {
			o, err := decode(doc)
			if err != nil {
				t.Errorf("%s: %v\n%s", name, err, doc)
				continue
			}
			m.objects = append(m.objects, o)
		}
	}
	return m
}

// of returns the manifest's objects of a type of Go, by name.
func of[T runtime.Object](m manifest) map[string]T {
	found := map[string]T{}
	for _, o := range m.objects {
		if typed, ok := o.typed.(T); ok {
			found[o.Name] = typed
		}
	}
	return found
}

// kinds counts the objects by kind.
func (m manifest) kinds() map[string]int {
	n := map[string]int{}
	for _, o := range m.objects {
		n[o.Kind]++
	}
	return n
}

// get returns the value at the path, of the object of the kind and name.
func (m manifest) get(t *testing.T, kind, name string, path ...any) any {
	t.Helper()
	for _, o := range m.objects {
		if o.Kind == kind && o.Name == name {
			return walk(t, o.content, path...)
		}
	}
	t.Fatalf("no %s %s", kind, name)
	return nil
}

func walk(t *testing.T, v any, path ...any) any {
	t.Helper()
	for _, step := range path {
		switch step := step.(type) {
		case string:
			v = v.(map[string]any)[step]
		case int:
			v = v.([]any)[step]
		}
	}
	return v
}

// valuesFiles are the sets of values that are tried, by name.
func valuesFiles(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob("testdata/values/*.yaml")
	if err != nil || len(paths) < 3 {
		t.Fatalf("%d files of values, %v", len(paths), err)
	}
	all := map[string]string{}
	for _, path := range paths {
		all[strings.TrimSuffix(filepath.Base(path), ".yaml")] = string(read(t, path))
	}
	return all
}

// Every object of every set of values is what its API takes, and what every pod
// must be.
func TestTheChartRenders(t *testing.T) {
	t.Parallel()
	for name, values := range valuesFiles(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := mustRender(t, values)
			checkNames(t, m)
			checkPods(t, m)
			checkSelectors(t, m)
			checkSettings(t, m)
		})
	}
}

// The objects of each kind that a set of values makes.
func TestWhatTheChartInstalls(t *testing.T) {
	t.Parallel()
	always := map[string]int{"ConfigMap": 1, "ServiceAccount": 1, "Deployment": 6, "Service": 1, "PodDisruptionBudget": 6, "NetworkPolicy": 4}
	full := map[string]int{"NetworkPolicy": 7, "Service": 2, "ConfigMap": 2, "ScaledObject": 1, "TriggerAuthentication": 1, "Ingress": 1,
		"KafkaTopic": len(fromCode().Topics), "KafkaUser": 6, "PodMonitor": 1, "PrometheusRule": 1}
	open := maps.Clone(full)
	delete(open, "TriggerAuthentication") // nothing to say
	open["HorizontalPodAutoscaler"] = 1
	for name, more := range map[string]map[string]int{"least": nil, "production": full, "every-option": open} {
		want := maps.Clone(always)
		maps.Copy(want, more)
		if got := mustRender(t, valuesFiles(t)[name]).kinds(); !maps.Equal(got, want) {
			t.Errorf("%s: it installs %v, not %v", name, got, want)
		}
	}
	off := leastValues + "modelservice: {enabled: false}\nnetworkPolicy: {enabled: false}\npodDisruptionBudget: {enabled: false}\n"
	if got, want := mustRender(t, off).kinds(), (map[string]int{"ConfigMap": 1, "ServiceAccount": 1, "Deployment": 5}); !maps.Equal(got, want) {
		t.Errorf("with what can be left out left out it installs %v, not %v", got, want)
	}
}

// helm lint finds nothing, neither an error nor a warning.
func TestTheChartIsLinted(t *testing.T) {
	t.Parallel()
	for name, values := range valuesFiles(t) {
		for _, m := range lint.RunAll(chartDir, parse(t, values), namespace).Messages {
			if m.Severity > support.InfoSev {
				t.Errorf("%s: %v", name, m)
			}
		}
	}
}

// Values that are wrong are refused, by name and before anything is made of them.
func TestWrongValuesAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		values string
		says   []string
	}{
		"a number as text":         {"services: {trainer: {replicas: two}}", []string{"/services/trainer/replicas", "integer"}},
		"a misspelt value":         {"services: {trainer: {replica: 2}}", []string{"/services/trainer", "replica"}},
		"a service there is none":  {"services: {courier: {replicas: 1}}", []string{"courier"}},
		"a broker without a port":  {"kafka: {brokers: [kafka]}", []string{"/kafka/brokers/0"}},
		"an endpoint with a path":  {"store: {endpoint: \"http://minio:9000/churn\"}", []string{"/store/endpoint"}},
		"credentials in a link":    {"mlflow: {trackingURI: \"http://me:secret@mlflow:5000\"}", []string{"/mlflow/trackingURI"}},
		"a password":               {"kafka: {password: hunter2}", []string{"password"}},
		"an unknown mechanism":     {"kafka: {saslMechanism: GSSAPI}", []string{"/kafka/saslMechanism"}},
		"a port that is none":      {"modelservice: {service: {port: 70000}}", []string{"/modelservice/service/port"}},
		"a list for an object":     {"users: {gate: [a]}", []string{"/users/gate"}},
		"a level there is none":    {"log: {level: trace}", []string{"/log/level"}},
		"no broker":                {"kafka: {brokers: []}", []string{"kafka.brokers", "host:port"}},
		"no store":                 {"store: {endpoint: \"\"}", []string{"store.endpoint"}},
		"no credentials of store":  {"store: {existingSecret: \"\"}", []string{"store.existingSecret"}},
		"Strimzi without a name":   {"strimzi: {enabled: true}", []string{"strimzi.cluster"}},
		"an ingress without hosts": {"modelservice: {ingress: {enabled: true}}", []string{"modelservice.ingress.hosts"}},
	} {
		values := loader.MergeMaps(parse(t, leastValues), parse(t, c.values))
		text, err := json.Marshal(values)
		if err != nil {
			t.Fatal(err)
		}
		_, err = render(t, string(text))
		t.Run(name, func(t *testing.T) { wantError(t, err, c.says...) })
	}
}

func wantError(t *testing.T, err error, says ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, words := range says {
		if !strings.Contains(err.Error(), words) {
			t.Errorf("the error does not say %q: %v", words, err)
		}
	}
}

// checkNames: names are unique within a kind, and every object says whose it is.
func checkNames(t *testing.T, m manifest) {
	t.Helper()
	seen := map[string]bool{}
	for _, o := range m.objects {
		id := o.Kind + "/" + o.Name
		if seen[id] {
			t.Errorf("%s is there twice", id)
		}
		seen[id] = true
		for _, label := range []string{"app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/managed-by", "helm.sh/chart"} {
			if o.Labels[label] == "" {
				t.Errorf("%s has no label %s", id, label)
			}
		}
	}
}

// checkPods: no pod may do more than it must, and each can be asked how it is.
func checkPods(t *testing.T, m manifest) {
	t.Helper()
	for name, d := range of[*appsv1.Deployment](m) {
		p := d.Spec.Template.Spec
		if p.AutomountServiceAccountToken == nil || *p.AutomountServiceAccountToken {
			t.Errorf("%s has a token for the cluster's API", name)
		}
		s := p.SecurityContext
		if s.RunAsNonRoot == nil || !*s.RunAsNonRoot || s.RunAsUser == nil || *s.RunAsUser == 0 || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
			t.Errorf("%s runs as %+v", name, s)
		}
		if p.HostNetwork || p.HostPID || p.HostIPC {
			t.Errorf("%s is in the host's namespaces", name)
		}
		if p.TerminationGracePeriodSeconds == nil || *p.TerminationGracePeriodSeconds <= 10+5 { // a service's grace, and the pause before
			t.Errorf("%s has %v s to end", name, p.TerminationGracePeriodSeconds)
		}
		if len(p.TopologySpreadConstraints) == 0 {
			t.Errorf("%s is not spread", name)
		}
		for _, v := range p.Volumes {
			if v.HostPath != nil {
				t.Errorf("%s has the host's %s", name, v.HostPath.Path)
			}
		}
		for _, c := range p.Containers {
			checkContainer(t, name, c)
		}
	}
}

func checkContainer(t *testing.T, name string, c corev1.Container) {
	t.Helper()
	s := c.SecurityContext
	if s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation ||
		s.Privileged != nil || !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) || s.Capabilities.Add != nil {
		t.Errorf("%s may %+v", name, s)
	}
	for probe, path := range map[*corev1.Probe]string{c.StartupProbe: "/healthz", c.LivenessProbe: "/healthz", c.ReadinessProbe: "/readyz"} {
		if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path != path || probe.HTTPGet.Port.StrVal != c.Ports[0].Name {
			t.Errorf("%s is not asked for %s: %+v", name, path, probe)
		}
	}
	for _, v := range []string{":latest", ":<"} {
		if strings.Contains(c.Image, v) || !strings.Contains(c.Image, ":") {
			t.Errorf("%s is of image %q", name, c.Image)
		}
	}
	for _, e := range c.Env {
		secret := strings.HasSuffix(e.Name, "PASSWORD") || strings.HasPrefix(e.Name, "AWS_") || strings.HasSuffix(e.Name, "TOKEN")
		if secret && (e.Value != "" || e.ValueFrom == nil || e.ValueFrom.SecretKeyRef == nil) {
			t.Errorf("%s has %s in the open", name, e.Name)
		}
	}
	if !slices.ContainsFunc(c.VolumeMounts, func(v corev1.VolumeMount) bool { return v.MountPath == "/tmp" && !v.ReadOnly }) {
		t.Errorf("%s has no /tmp to write to", name)
	}
}

// checkSelectors: what selects pods selects one Deployment's, and all of them.
func checkSelectors(t *testing.T, m manifest) {
	t.Helper()
	pods := map[string]map[string]string{}
	for name, d := range of[*appsv1.Deployment](m) {
		pods[name] = d.Spec.Template.Labels
		if !within(d.Spec.Selector.MatchLabels, d.Spec.Template.Labels) {
			t.Errorf("Deployment %s does not select its own pods", name)
		}
	}
	selects := func(what string, selector map[string]string) {
		var hit []string
		for name, labels := range pods {
			if within(selector, labels) {
				hit = append(hit, name)
			}
		}
		if len(hit) != 1 || hit[0] != what {
			t.Errorf("what is for %s selects %v", what, hit)
		}
	}
	for name, p := range of[*policyv1.PodDisruptionBudget](m) {
		selects(name, p.Spec.Selector.MatchLabels)
	}
	for name, s := range of[*corev1.Service](m) {
		selects(name, s.Spec.Selector)
	}
	for name, d := range of[*appsv1.Deployment](m) {
		for _, c := range d.Spec.Template.Spec.TopologySpreadConstraints {
			selects(name, c.LabelSelector.MatchLabels)
		}
	}
	for name, p := range of[*networkingv1.NetworkPolicy](m) {
		for pod, labels := range pods {
			if !within(p.Spec.PodSelector.MatchLabels, labels) && !strings.HasSuffix(name, "-predict") && !strings.HasSuffix(name, "-trainers") {
				t.Errorf("policy %s does not hold for %s", name, pod)
			}
		}
	}
}

func within(part, whole map[string]string) bool {
	for k, v := range part {
		if whole[k] != v {
			return false
		}
	}
	return len(part) > 0
}

// checkSettings: every variable is one that the program knows, none is set twice,
// and the Go services' configuration loads with them.
func checkSettings(t *testing.T, m manifest) {
	t.Helper()
	maps_ := of[*corev1.ConfigMap](m)
	for name, d := range of[*appsv1.Deployment](m) {
		component := d.Labels["app.kubernetes.io/component"]
		c := d.Spec.Template.Spec.Containers[0]
		env := map[string]string{}
		for _, from := range c.EnvFrom {
			shared := maps_[from.ConfigMapRef.Name]
			if shared == nil {
				t.Fatalf("%s takes its settings from %s, which is not there", name, from.ConfigMapRef.Name)
			}
			maps.Copy(env, shared.Data)
		}
		for _, e := range c.Env {
			if _, twice := env[e.Name]; twice {
				t.Errorf("%s has %s twice", name, e.Name)
			}
			env[e.Name] = e.Value
			if e.ValueFrom != nil {
				env[e.Name] = "from-a-secret"
			}
		}
		checkEnvironment(t, component, env)
	}
}

// The services are let in by the registry, by reference; ModelService does not ask it.
func TestRegistryCredentials(t *testing.T) {
	t.Parallel()
	values := leastValues + "mlflow: {trackingURI: \"https://mlflow\", existingSecret: mlflow-user, usernameKey: user, passwordKey: pass}\n"
	for name, d := range of[*appsv1.Deployment](mustRender(t, values)) {
		got := map[string]string{}
		for _, e := range d.Spec.Template.Spec.Containers[0].Env {
			if strings.HasPrefix(e.Name, "MLFLOW_TRACKING_") {
				got[e.Name] = e.ValueFrom.SecretKeyRef.Name + "/" + e.ValueFrom.SecretKeyRef.Key
			}
		}
		want := map[string]string{"MLFLOW_TRACKING_USERNAME": "mlflow-user/user", "MLFLOW_TRACKING_PASSWORD": "mlflow-user/pass"}
		if name == "churn-modelservice" {
			want = nil
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s has %v, not %v", name, got, want)
		}
	}
}

// The authorities of each part are at the place that the settings name.
func TestAuthorities(t *testing.T) {
	t.Parallel()
	const values = `
kafka: {brokers: ["kafka:9093"], tls: {caSecret: {name: of-kafka}}}
store: {endpoint: "https://minio", existingSecret: store, caSecret: {name: of-store, key: root.pem}}
mlflow: {trackingURI: "https://mlflow", caSecret: {name: of-mlflow}}
`
	m := mustRender(t, values)
	settings := of[*corev1.ConfigMap](m)["churn"].Data
	for name, d := range of[*appsv1.Deployment](m) {
		pod := d.Spec.Template.Spec
		for setting, want := range map[string]string{
			"KAFKA_TLS_CA": "of-kafka ca.crt", "AWS_CA_BUNDLE": "of-store root.pem", "MLFLOW_TRACKING_SERVER_CERT_PATH": "of-mlflow ca.crt",
		} {
			got := ""
			for _, mount := range pod.Containers[0].VolumeMounts {
				for _, v := range pod.Volumes {
					if v.Name == mount.Name && v.Secret != nil && mount.MountPath+"/"+v.Secret.Items[0].Path == settings[setting] {
						got = v.Secret.SecretName + " " + v.Secret.Items[0].Key
					}
				}
			}
			if got != want {
				t.Errorf("%s has %q at %s=%s, not %q", name, got, setting, settings[setting], want)
			}
		}
	}
}

// A change of the settings starts new pods.
func TestNewSettingsStartNewPods(t *testing.T) {
	t.Parallel()
	checksum := func(values string) any {
		return mustRender(t, values).get(t, "Deployment", "churn-gate", "spec", "template", "metadata", "annotations", "checksum/settings")
	}
	if checksum(leastValues) == checksum(leastValues+"log: {level: debug}\n") {
		t.Error("the pods are the same")
	}
}

// Without autoscaling the chart says how many; with it, the autoscaler does.
func TestOneSaysHowMany(t *testing.T) {
	t.Parallel()
	replicas := func(values, name string) any {
		return mustRender(t, values).get(t, "Deployment", name, "spec", "replicas")
	}
	for _, c := range []struct{ name, on string }{
		{"churn-trainer", "trainerAutoscaling: {enabled: true}\n"},
		{"churn-modelservice", "modelservice: {autoscaling: {enabled: true}}\n"},
	} {
		if off, on := replicas(leastValues, c.name), replicas(leastValues+c.on, c.name); off != float64(2) || on != nil {
			t.Errorf("%s: %v replicas, and with autoscaling %v", c.name, off, on)
		}
	}
}

// The scaler is for the group and the topic that the trainer is in, under the name
// and with the Secret that the trainer has.
func TestTheScalerIsTheTrainers(t *testing.T) {
	t.Parallel()
	m := mustRender(t, string(read(t, "testdata/values/production.yaml")))
	trigger := m.get(t, "ScaledObject", "churn-trainer", "spec", "triggers", 0, "metadata").(map[string]any)
	for key, want := range map[string]string{
		"bootstrapServers": "main-kafka-bootstrap.kafka.svc:9093", "topic": "churn.features-ready", "consumerGroup": "churn.trainer",
		"lagThreshold": "1", "tls": "enable", "sasl": "scram_sha512",
	} {
		if trigger[key] != want {
			t.Errorf("%s is %v, not %s", key, trigger[key], want)
		}
	}
	container := of[*appsv1.Deployment](m)["churn-trainer"].Spec.Template.Spec.Containers[0]
	i := slices.IndexFunc(container.Env, func(e corev1.EnvVar) bool { return e.Name == "KAFKA_PASSWORD" })
	secret := container.Env[i].ValueFrom.SecretKeyRef
	password := m.get(t, "TriggerAuthentication", "churn-trainer", "spec", "secretTargetRef", 0).(map[string]any)
	if password["name"] != secret.Name || password["key"] != secret.Key || password["parameter"] != "password" {
		t.Errorf("the scaler's password is %v, the trainer's %v", password, secret)
	}
	if user := m.get(t, "TriggerAuthentication", "churn-trainer", "spec", "env", 0, "name"); user != "KAFKA_USERNAME" {
		t.Errorf("the scaler's user is %v", user)
	}
}

// What Strimzi makes is what the pods name: user and Secret have one name.
func TestStrimziMakesTheUsersThatThePodsAre(t *testing.T) {
	t.Parallel()
	m := mustRender(t, string(read(t, "testdata/values/production.yaml")))
	users := map[string]bool{}
	for _, o := range m.objects {
		if o.Kind == "KafkaUser" {
			users[o.Name] = true
		}
	}
	for name, d := range of[*appsv1.Deployment](m) {
		for _, e := range d.Spec.Template.Spec.Containers[0].Env {
			switch {
			case e.Name == "KAFKA_USERNAME" && !users[e.Value]:
				t.Errorf("%s is %s, and the users are %v", name, e.Value, users)
			case e.Name == "KAFKA_PASSWORD" && !users[e.ValueFrom.SecretKeyRef.Name]:
				t.Errorf("%s has its password from %v, and the users are %v", name, e.ValueFrom.SecretKeyRef, users)
			}
		}
	}
}

// Nobody may do to a topic what the topology does not say, and topics keep what
// they hold when the release goes.
func TestTopicsAndRightsAreLeast(t *testing.T) {
	t.Parallel()
	m := mustRender(t, string(read(t, "testdata/values/every-option.yaml")))
	for _, o := range m.objects {
		switch o.Kind {
		case "KafkaTopic":
			if o.Annotations["helm.sh/resource-policy"] != "keep" || o.Namespace != "kafka" || o.Labels["strimzi.io/cluster"] != "main" {
				t.Errorf("topic %s: %+v", o.Name, o.ObjectMeta)
			}
			if name := walk(t, o.content, "spec", "topicName").(string); !strings.HasPrefix(name, "Team_A.") {
				t.Errorf("topic %s is named %s", o.Name, name)
			}
		case "KafkaUser":
			for _, acl := range walk(t, o.content, "spec", "authorization", "acls").([]any) {
				resource := walk(t, acl, "resource").(map[string]any)
				if !strings.HasPrefix(resource["name"].(string), "Team_A.") {
					t.Errorf("%s has rights to %v", o.Name, resource)
				}
				for _, operation := range walk(t, acl, "operations").([]any) {
					prefixed := resource["patternType"] == "prefix"
					if !slices.Contains([]any{"Read", "Write", "Describe"}, operation) || prefixed && operation != "Describe" {
						t.Errorf("%s may %v %v", o.Name, operation, resource)
					}
				}
			}
		}
	}
}

// Pods reach what they need and nothing else, and only ModelService is asked.
func TestNetworkPolicies(t *testing.T) {
	t.Parallel()
	m := mustRender(t, string(read(t, "testdata/values/production.yaml")))
	policies := of[*networkingv1.NetworkPolicy](m)
	deny := policies["churn-deny"].Spec
	if len(deny.PolicyTypes) != 2 || deny.Ingress != nil || deny.Egress != nil {
		t.Errorf("what denies allows: %+v", deny)
	}
	var ports []string
	for _, e := range policies["churn-parts"].Spec.Egress {
		for _, p := range e.Ports {
			ports = append(ports, fmt.Sprintf("%s/%s", *p.Protocol, p.Port))
		}
		if len(e.To) == 0 {
			t.Errorf("anyone may be reached at %v", e.Ports)
		}
	}
	if want := []string{"UDP/53", "TCP/53", "TCP/9093", "TCP/9000", "TCP/4318"}; !slices.Equal(ports, want) {
		t.Errorf("pods may reach %v, not %v", ports, want)
	}
	trainers := policies["churn-trainers"].Spec
	if in, out := trainers.Ingress[0], trainers.Egress[0]; in.Ports[0].Port.StrVal != "peers" || !maps.Equal(trainers.PodSelector.MatchLabels, in.From[0].PodSelector.MatchLabels) ||
		!maps.Equal(trainers.PodSelector.MatchLabels, out.To[0].PodSelector.MatchLabels) || trainers.PodSelector.MatchLabels["app.kubernetes.io/component"] != "trainer" {
		t.Errorf("trainers reach %+v", trainers)
	}
	for name, p := range policies {
		for _, in := range p.Spec.Ingress {
			if len(in.From) == 0 {
				t.Errorf("%s lets anyone in", name)
			}
		}
	}
}

// The notes say what to do next, and warn of what is open.
func TestNotes(t *testing.T) {
	t.Parallel()
	files := valuesFiles(t)
	for name, says := range map[string][]string{
		"least":        {"kafka:9093", "port-forward service/churn-modelservice 8000:80", "churnctl topics"},
		"every-option": {"a:9092,b:9092", "8000:8080", "WARNING: Kafka is reached without TLS"},
	} {
		notes := mustRender(t, files[name]).notes
		for _, words := range says {
			if !strings.Contains(notes, words) {
				t.Errorf("%s: the notes do not say %q:\n%s", name, words, notes)
			}
		}
	}
}

// Every value is described by the schema, and every one of the schema has a default.
func TestTheSchemaCoversTheValues(t *testing.T) {
	t.Parallel()
	schema, values := map[string]any{}, map[string]any{}
	for path, into := range map[string]*map[string]any{"values.schema.json": &schema, "values.yaml": &values} {
		b, err := os.ReadFile(filepath.Join(chartDir, path))
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(b, into); err != nil {
			t.Fatal(err)
		}
	}
	cover(t, "", schema, schema, values)
}

func cover(t *testing.T, path string, root, schema, values map[string]any) {
	t.Helper()
	if ref, ok := schema["$ref"].(string); ok {
		schema = walk(t, root, "$defs", strings.TrimPrefix(ref, "#/$defs/")).(map[string]any)
	}
	properties, ok := schema["properties"].(map[string]any)
	if !ok {
		return // free
	}
	if schema["additionalProperties"] != false {
		t.Errorf("%s lets in what it does not know", path)
	}
	for name, p := range properties {
		value, ok := values[name]
		if !ok && name != "global" {
			t.Errorf("%s.%s has no default", path, name)
		}
		if nested, ok := value.(map[string]any); ok {
			cover(t, path+"."+name, root, p.(map[string]any), nested)
		}
	}
}
