package featurizer

import (
	"bytes"
	"cmp"
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/asfotec/churn/data"
	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/dataset"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/policy"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

const (
	mediaCSV  = "text/csv"
	mediaYAML = "application/yaml"
)

// specFile is a dataset spec with the object that it was read from.
type specFile struct {
	*dataset.Spec
	artifact *blob.Artifact
}

// spec reads the spec that the request names, or else takes the built-in one. It
// keeps it under its digest, so that the plan names an object that an audit can
// read, whatever becomes of the one that the request named.
func (f *Featurizer) spec(ctx context.Context, named *blob.Artifact) (specFile, error) {
	text := data.TelcoSpec
	if named != nil {
		var err error
		if text, err = f.read(ctx, named, dataset.MaxSpec); err != nil {
			return specFile{}, err
		}
	}
	spec, err := dataset.ParseSpec(text)
	if err != nil {
		return specFile{}, err
	}
	a, err := f.keep(ctx, churn.SpecKey, text)
	return specFile{spec, a}, err
}

// policy reads the policy that the request names, or else takes the built-in one of
// that name, and keeps it in the same way.
func (f *Featurizer) policy(ctx context.Context, named *blob.Artifact, name string) (*blob.Artifact, error) {
	const op = "featurizer.policy"
	if named == nil {
		text, ok := policy.BuiltIn(name)
		if !ok {
			return nil, churn.Errorf(op, churn.Internal, "there is no policy %.40q", name)
		}
		return f.keep(ctx, churn.PolicyKey, text)
	}
	text, err := f.read(ctx, named, policy.MaxDocument)
	if err != nil {
		return nil, err
	}
	if _, err := policy.Parse(text); err != nil {
		return nil, churn.Errorf(op, churn.Invalid, "%.200s: %w", named.GetUri(), err)
	}
	return f.keep(ctx, churn.PolicyKey, text)
}

// keep stores a document under its digest.
func (f *Featurizer) keep(ctx context.Context, key func(sha256 string) string, text []byte) (*blob.Artifact, error) {
	sum, err := blob.Sum(bytes.NewReader(text))
	if err != nil {
		return nil, churn.E("featurizer.keep", churn.Internal, err)
	}
	return f.store.Put(ctx, key(sum), mediaYAML, bytes.NewReader(text))
}

// read returns the bytes of an object that a request names, verified if it
// names their digest, too.
func (f *Featurizer) read(ctx context.Context, named *blob.Artifact, limit int64) ([]byte, error) {
	a, err := f.sized(ctx, named)
	if err != nil {
		return nil, err
	}
	body, err := f.store.Open(ctx, a)
	if err != nil {
		return nil, err
	}
	return blob.ReadAll("featurizer.read", a, body, limit)
}

// sized returns an artifact with its size, which a request may leave out.
func (f *Featurizer) sized(ctx context.Context, named *blob.Artifact) (*blob.Artifact, error) {
	a := proto.CloneOf(named)
	if a.GetSize() > 0 {
		return a, nil
	}
	key, err := f.store.Key(a.GetUri())
	if err != nil {
		return nil, err
	}
	there, err := f.store.Stat(ctx, key)
	if err != nil {
		return nil, err
	}
	a.Size = there.GetSize()
	return a, nil
}

// plan fills in everything that the request leaves open, but for the digest of a
// dataset that is named without one: that is known when it has been read.
func (f *Featurizer) plan(ctx context.Context, e event.Event, request *eventv1.RetrainRequested, spec specFile) (*eventv1.Plan, error) {
	source, err := f.sized(ctx, request.GetDataset())
	if err != nil {
		return nil, err
	}
	source.MediaType = cmp.Or(source.GetMediaType(), mediaCSV)
	r := proto.CloneOf(request)
	r.Model = cmp.Or(r.GetModel(), f.defaults.Model)
	r.Experiment = cmp.Or(r.GetExperiment(), f.defaults.Experiment)
	plan, err := spec.Plan(r, source, spec.artifact, e.Time)
	if err != nil {
		return nil, err
	}
	plan.Gate.PolicyDocument, err = f.policy(ctx, r.GetGate().GetPolicyDocument(), plan.GetGate().GetPolicy())
	return plan, err
}
