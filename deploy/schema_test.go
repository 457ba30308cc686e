package deploy

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/santhosh-tekuri/jsonschema/v6"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

// object is one that the chart makes.
type object struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	content map[string]any
	typed   runtime.Object // nil if its definition is a schema
}

// kubernetes reads objects as the API server does: strictly, in its own types.
var kubernetes = sync.OnceValue(func() runtime.Decoder {
	s := runtime.NewScheme()
	utilruntime.Must(scheme.AddToScheme(s))
	utilruntime.Must(monitoringv1.AddToScheme(s))
	return serializer.NewCodecFactory(s, serializer.EnableStrict).UniversalDeserializer()
})

// decode reads one object; what its API does not know is an error.
func decode(doc []byte) (object, error) {
	var o object
	if err := json.Unmarshal(doc, &o); err != nil {
		return o, err
	}
	if err := json.Unmarshal(doc, &o.content); err != nil {
		return o, err
	}
	definition, err := definitionOf(o.GroupVersionKind())
	if err != nil {
		return o, err
	}
	if definition != nil {
		return o, definition.Validate(any(o.content))
	}
	o.typed, _, err = kubernetes().Decode(doc, nil, nil)
	return o, err
}

// definitions are the schemas of custom resources, by group, version and kind.
var definitions = sync.OnceValues(func() (map[schema.GroupVersionKind]*jsonschema.Schema, error) {
	all := map[schema.GroupVersionKind]*jsonschema.Schema{}
	return all, errors.Join(addKEDA(all), addStrimzi(all))
})

func definitionOf(kind schema.GroupVersionKind) (*jsonschema.Schema, error) {
	all, err := definitions()
	return all[kind], err
}

// addKEDA adds what KEDA's own definitions say, which come with its Go module.
func addKEDA(all map[schema.GroupVersionKind]*jsonschema.Schema) error {
	dir, err := kedaModule()
	if err != nil {
		return err
	}
	for _, plural := range []string{"scaledobjects", "triggerauthentications"} {
		var crd struct {
			Spec struct {
				Group    string
				Names    struct{ Kind string }
				Versions []struct {
					Name   string
					Schema struct{ OpenAPIV3Schema map[string]any }
				}
			}
		}
		if err := readYAML(filepath.Join(dir, "config", "crd", "bases", "keda.sh_"+plural+".yaml"), &crd); err != nil {
			return err
		}
		for _, v := range crd.Spec.Versions {
			kind := schema.GroupVersionKind{Group: crd.Spec.Group, Version: v.Name, Kind: crd.Spec.Names.Kind}
			if all[kind], err = compile(v.Schema.OpenAPIV3Schema); err != nil {
				return err
			}
		}
	}
	return nil
}

// addStrimzi adds what crds/strimzi.yaml says.
func addStrimzi(all map[schema.GroupVersionKind]*jsonschema.Schema) error {
	kinds := map[string]map[string]any{}
	if err := readYAML("crds/strimzi.yaml", &kinds); err != nil {
		return err
	}
	for kind, s := range kinds {
		var err error
		if all[schema.GroupVersionKind{Group: "kafka.strimzi.io", Version: "v1", Kind: kind}], err = compile(s); err != nil {
			return err
		}
	}
	return nil
}

// compile makes a strict JSON Schema of a structural schema of Kubernetes: what is
// not named is refused, but where it says that it may be.
func compile(structural map[string]any) (*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	properties := structural["properties"].(map[string]any)
	for _, own := range []string{"apiVersion", "kind", "metadata"} { // the API server's
		properties[own] = map[string]any{}
	}
	if err := c.AddResource("schema.json", strict(structural)); err != nil {
		return nil, err
	}
	return c.Compile("schema.json")
}

func strict(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = strict(v[i])
		}
	case map[string]any:
		for name, member := range v {
			v[name] = strict(member)
		}
		_, hasProperties := v["properties"].(map[string]any)
		_, open := v["additionalProperties"]
		if hasProperties && v["type"] == "object" && !open && v["x-kubernetes-preserve-unknown-fields"] != true {
			v["additionalProperties"] = false
		}
		if v["nullable"] == true {
			v["type"] = []any{v["type"], "null"}
		}
		delete(v, "format") // int32, int64: Kubernetes's own
	}
	return v
}

// What is wrong in an object is found, whatever its API.
func TestWrongObjectsAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ object, says string }{
		"a field that Kubernetes lacks": {"{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {port: 80}}", "port"},
		"a field of another type":       {"{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {replicas: two}}", "replicas"},
		"a kind that is none":           {"{apiVersion: v1, kind: Sevrice, metadata: {name: a}}", "Sevrice"},
		"an old version":                {"{apiVersion: policy/v1alpha1, kind: PodDisruptionBudget, metadata: {name: a}}", "policy/v1alpha1"},
		"KEDA: a field misspelt":        {"{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: a}, spec: {scaleTargetRef: {name: a}, minReplicas: 1, triggers: []}}", "minReplicas"},
		"KEDA: no trigger":              {"{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: a}, spec: {scaleTargetRef: {name: a}}}", "triggers"},
		"KEDA: a number for text":       {"{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: a}, spec: {scaleTargetRef: {name: a}, triggers: [{type: kafka, metadata: {lagThreshold: 1}}]}}", "lagThreshold"},
		"Strimzi: an operation":         {"{apiVersion: kafka.strimzi.io/v1, kind: KafkaUser, metadata: {name: a}, spec: {authorization: {type: simple, acls: [{resource: {type: topic}, operations: [Reed]}]}}}", "operations"},
		"Strimzi: the old operation":    {"{apiVersion: kafka.strimzi.io/v1, kind: KafkaUser, metadata: {name: a}, spec: {authorization: {type: simple, acls: [{resource: {type: topic}, operation: Read}]}}}", "operation"},
		"Strimzi: no partition":         {"{apiVersion: kafka.strimzi.io/v1, kind: KafkaTopic, metadata: {name: a}, spec: {partitions: 0}}", "partitions"},
		"a monitor's field":             {"{apiVersion: monitoring.coreos.com/v1, kind: PodMonitor, metadata: {name: a}, spec: {endpoints: []}}", "endpoints"},
	} {
		t.Run(name, func(t *testing.T) {
			doc, err := yaml.YAMLToJSON([]byte(c.object))
			if err != nil {
				t.Fatal(err)
			}
			_, err = decode(doc)
			if err == nil || !strings.Contains(fmt.Sprint(err), c.says) {
				t.Errorf("the error is %v, and does not say %q", err, c.says)
			}
		})
	}
}
