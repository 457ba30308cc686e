package featurizer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/asfotec/churn/data"
	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/blob/memory"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/config"
	"github.com/asfotec/churn/pkg/dataset"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/feature"
	"github.com/asfotec/churn/pkg/policy"
	"github.com/asfotec/churn/pkg/profile"
	"github.com/asfotec/churn/pkg/registry/objectstore"
	"github.com/asfotec/churn/pkg/search"
	"github.com/asfotec/churn/pkg/service"
	"github.com/asfotec/churn/pkg/stage"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

var update = flag.Bool("update", false, "write testdata/ anew")

const bucket = "test"

// shipped returns the file that comes with the project.
func shipped(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile("../../data/telco_churn.csv")
	if err != nil {
		t.Fatal("data/telco_churn.csv is missing: make it with `go run ./cmd/generate -o telco_churn.csv` in data/")
	}
	return text
}

// telco returns the real file where it is there, and the shipped one otherwise.
func telco(t testing.TB) []byte {
	t.Helper()
	if text, err := os.ReadFile("../../../shared/data/telco_churn.csv"); err == nil {
		return text
	}
	return shipped(t)
}

// featurize is what one request comes to: in a store of its own, with a
// temporary folder that must be empty afterwards.
type featurize struct {
	store    *memory.Store
	opened   blob.Store // what the featurizer sees, if not store
	defaults Defaults
	progress []stage.Progress
}

func newFeaturize() *featurize { return &featurize{store: memory.New(bucket)} }

// put writes an object and returns it.
func (f *featurize) put(t testing.TB, key string, body []byte) *blob.Artifact {
	t.Helper()
	a, err := f.store.Put(t.Context(), key, mediaCSV, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// handle handles the request and returns the outcome. The outputs must be
// events that the next stage accepts.
func (f *featurize) handle(ctx context.Context, t testing.TB, r *eventv1.RetrainRequested) (*eventv1.FeaturesReady, error) {
	t.Helper()
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	store := f.opened
	if store == nil {
		store = f.store
	}
	ctx = stage.WithProgress(ctx, func(p stage.Progress) { f.progress = append(f.progress, p) })
	out, err := New(store, objectstore.NewTracker(f.store), f.defaults).Handle(ctx, requestEvent(r))
	if left, _ := os.ReadDir(folder); len(left) > 0 {
		t.Errorf("%s is left behind", left[0].Name())
	}
	if err != nil {
		return nil, err
	}
	if len(out) != 1 {
		t.Fatalf("%d events", len(out))
	}
	if err := event.Validate(out[0]); err != nil {
		t.Fatal(err)
	}
	return out[0].Data.(*eventv1.FeaturesReady), nil
}

func (f *featurize) mustHandle(t testing.TB, r *eventv1.RetrainRequested) *eventv1.FeaturesReady {
	t.Helper()
	ready, err := f.handle(t.Context(), t, r)
	if err != nil {
		t.Fatal(err)
	}
	return ready
}

var requestedAt = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func requestEvent(r *eventv1.RetrainRequested) event.Event {
	return event.Event{
		Topic: churn.RetrainRequested, Key: "m", ID: "request-1", Source: "/test", Type: churn.RetrainRequested.Type(),
		Time: requestedAt, Data: r,
	}
}

// run is the run of requestEvent.
var run = churn.RunID("request-1")

// get returns an artifact's bytes.
func (f *featurize) get(t testing.TB, a *blob.Artifact) []byte {
	t.Helper()
	body, err := f.store.Get(t.Context(), a, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func (f *featurize) profile(t testing.TB, ready *eventv1.FeaturesReady) *profile.Document {
	t.Helper()
	d, err := profile.Parse(f.get(t, ready.GetFeatures().GetProfile()))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// keys returns the store's keys below the prefix.
func (f *featurize) keys(t testing.TB, prefix string) []string {
	t.Helper()
	var keys []string
	for key, err := range f.store.List(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	return keys
}

// smallSpec has a column of each kind.
const smallSpec = `
version: 1
name: small
model: small-model
experiment: small-experiment
key: id
target: {column: y, positive: "yes", negative: "no"}
columns:
  - {name: c, kind: categorical}
  - {name: n, kind: numeric, min: 0, max: 100, missing: zero}
split: {test: 0.3, validation: 0.3}
`

// smallFile has both classes in each split, and the lines behind that.
func smallFile(lines ...string) []byte {
	var b bytes.Buffer
	b.WriteString("id,c,n,y\n")
	for i := range 40 {
		fmt.Fprintf(&b, "k%d,%s,%d,%s\n", i, []string{"a", "b"}[i%2], i, []string{"no", "yes"}[i/2%2])
	}
	b.WriteString(strings.Join(lines, "\n"))
	return b.Bytes()
}

// small returns a request for the file by the small spec.
func (f *featurize) small(t testing.TB, text []byte) *eventv1.RetrainRequested {
	t.Helper()
	return &eventv1.RetrainRequested{Dataset: f.put(t, "datasets/small.csv", text), Spec: f.put(t, "specs/small.yaml", []byte(smallSpec))}
}

// The artifacts of the shipped file are noted: a change of one byte is made on
// purpose (go test -update), since it changes digests that others may have kept.
func TestGolden(t *testing.T) {
	f := newFeaturize()
	ready := f.mustHandle(t, &eventv1.RetrainRequested{Dataset: f.put(t, "datasets/telco.csv", shipped(t))})
	features := ready.GetFeatures()
	sums := fmt.Sprintf("%s  %s\n%s  %s\n%s  %s\n",
		features.GetTable().GetSha256(), churn.FeaturesTable,
		features.GetPreprocessor().GetSha256(), churn.PreprocessorJSON,
		features.GetProfile().GetSha256(), churn.ProfileJSON)
	golden(t, "SHA256SUMS", []byte(sums))
	golden(t, churn.PreprocessorJSON, f.get(t, features.GetPreprocessor()))
	golden(t, churn.ProfileJSON, f.get(t, features.GetProfile()))
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", "telco", name)
	if *update {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, got, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s has changed; if that is meant, run `go test . -update`\n%s", path, got)
	}
}

func TestTelco(t *testing.T) {
	f := newFeaturize()
	text := telco(t)
	named := f.put(t, "datasets/telco.csv", text)
	ready := f.mustHandle(t, &eventv1.RetrainRequested{Dataset: named, GitSha: "abc123", RequestedBy: "me", Reason: "why"})

	spec := f.get(t, ready.GetPlan().GetSpec())
	sum, err := blob.Sum(bytes.NewReader(data.TelcoSpec))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(spec, data.TelcoSpec) || ready.GetPlan().GetSpec().GetUri() != f.store.URI(churn.SpecKey(sum)) {
		t.Errorf("the plan names the spec %v", ready.GetPlan().GetSpec())
	}
	if !proto.Equal(ready.GetPlan().GetDataset(), named) {
		t.Errorf("the plan names the dataset %v, want %v", ready.GetPlan().GetDataset(), named)
	}
	if ready.GetTrial() != 0 || ready.GetTrials() != 1 || ready.GetPlan().GetRequestedAt() != "2026-03-04T05:06:07Z" {
		t.Errorf("%v", ready)
	}
	d := f.profile(t, ready)
	features := ready.GetFeatures()
	if all := d.Rows["all"]; all.Rows != 7043 || all.Rows != features.GetTrainRows()+features.GetValidationRows()+features.GetHoldoutRows() {
		t.Errorf("rows %+v, event %v", d.Rows, features)
	}
	if c := d.Columns[18]; c.Name != "TotalCharges" || c.Blanks != 11 {
		t.Errorf("%+v, want 11 blanks", c)
	}
	p, err := feature.Parse(f.get(t, features.GetPreprocessor()))
	if err != nil {
		t.Fatal(err)
	}
	if c := p.Columns[18]; c.Fill == nil || *c.Fill != 0 || len(p.Features) != 46 {
		t.Errorf("%d features, %+v", len(p.Features), c)
	}
}

func TestEvent(t *testing.T) {
	f := newFeaturize()
	e := requestEvent(f.small(t, smallFile()))
	out, err := New(f.store, objectstore.NewTracker(f.store), Defaults{}).Handle(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	got := out[0]
	if got.Topic != churn.FeaturesReady || got.Key != run+"/0" || got.Correlation != run || got.Causation != e.ID || !got.Time.Equal(requestedAt) ||
		got.ID != churn.EventID(e.ID, churn.FeaturesReady.Type(), 0) || got.Source != "/asfotec/churn/featurizer" || got.Sequence != 1 {
		t.Errorf("%+v", got)
	}
}

// A search has an event for each trial, with settings of its own, spread over
// partitions.
func TestTrials(t *testing.T) {
	f := newFeaturize()
	request := f.small(t, smallFile())
	request.Search = &eventv1.Search{
		Trials: 5, Strategy: "sobol", Halving: 2, Dimensions: []*eventv1.Dimension{{Parameter: "num_leaves", Low: 7, High: 63}},
	}
	out, err := New(f.store, objectstore.NewTracker(f.store), Defaults{}).Handle(t.Context(), requestEvent(request))
	if err != nil || len(out) != 5 {
		t.Fatalf("%d events, %v", len(out), err)
	}
	ids, leaves := map[string]bool{}, map[int32]bool{}
	for n, e := range out {
		m := e.Data.(*eventv1.FeaturesReady)
		if err := event.Validate(e); err != nil || e.Key != churn.TrialKey(run, n) || m.GetTrial() != int32(n) || m.GetTrials() != 5 ||
			m.GetTraining().GetNumIterations() != 63 || m.GetPlan().GetTraining().GetNumIterations() != 500 {
			t.Errorf("trial %d: %v, %v", n, m, err)
		}
		ids[e.ID], leaves[m.GetTraining().GetNumLeaves()] = true, true
	}
	if len(ids) != 5 || len(leaves) < 4 {
		t.Errorf("%d ids, %d numbers of leaves", len(ids), len(leaves))
	}
}

// As many begin as may be under way; the plan says how many that are.
func TestTrialsUnderWay(t *testing.T) {
	for asked, want := range map[int32]int{0: search.DefaultParallel, 3: 3, 100: 20} {
		f := newFeaturize()
		request := f.small(t, smallFile())
		request.Search = &eventv1.Search{Trials: 20, Parallel: asked, Dimensions: []*eventv1.Dimension{{Parameter: "num_leaves", Low: 7, High: 63}}}
		out, err := New(f.store, objectstore.NewTracker(f.store), Defaults{}).Handle(t.Context(), requestEvent(request))
		if err != nil || len(out) != want {
			t.Fatalf("asked for %d, %d begin: %v", asked, len(out), err)
		}
		if got := out[0].Data.(*eventv1.FeaturesReady).GetPlan().GetSearch().GetParallel(); asked == 0 && got != search.DefaultParallel || asked > 0 && got != asked {
			t.Errorf("asked for %d, the plan says %d", asked, got)
		}
	}
}

// The same request gives the same bytes: in another store, and again in the
// same one, where it finds what it wrote.
func TestDeterministic(t *testing.T) {
	text := telco(t)
	r := func(f *featurize) *eventv1.RetrainRequested {
		return &eventv1.RetrainRequested{Dataset: f.put(t, "datasets/telco.csv", text)}
	}
	f, other := newFeaturize(), newFeaturize()
	first, second, again := f.mustHandle(t, r(f)), other.mustHandle(t, r(other)), f.mustHandle(t, r(f))
	if !proto.Equal(first, second) || !proto.Equal(first, again) {
		t.Errorf("%v\n%v\n%v", first, second, again)
	}
	if a, b := f.keys(t, ""), other.keys(t, ""); !slices.Equal(a, b) {
		t.Errorf("%q\n%q", a, b)
	}
}

// A request may leave out what the featurizer can find out.
func TestDatasetNamedByLess(t *testing.T) {
	f := newFeaturize()
	whole := f.put(t, "datasets/small.csv", smallFile())
	r := f.small(t, smallFile())
	var want *eventv1.FeaturesReady
	for name, named := range map[string]*blob.Artifact{
		"URI, digest and size": {Uri: whole.GetUri(), Sha256: whole.GetSha256(), Size: whole.GetSize()},
		"URI":                  {Uri: whole.GetUri()},
		"URI and digest":       {Uri: whole.GetUri(), Sha256: whole.GetSha256()},
		"URI and size":         {Uri: whole.GetUri(), Size: whole.GetSize()},
	} {
		r.Dataset = named
		r.Spec = &blob.Artifact{Uri: f.store.URI("specs/small.yaml")}
		ready := f.mustHandle(t, r)
		if !proto.Equal(ready.GetPlan().GetDataset(), whole) {
			t.Errorf("%s: dataset %v, want %v", name, ready.GetPlan().GetDataset(), whole)
		}
		if want == nil {
			want = ready
		}
		if !proto.Equal(ready, want) {
			t.Errorf("%s: %v\nwant %v", name, ready, want)
		}
	}
}

func TestWhatTheRequestNamesIsVerified(t *testing.T) {
	f := newFeaturize()
	whole := f.put(t, "datasets/small.csv", smallFile())
	spec := f.put(t, "specs/small.yaml", []byte(smallSpec))
	other := strings.Repeat("0", 64)
	big := f.put(t, "specs/big.yaml", bytes.Repeat([]byte("#"), dataset.MaxSpec+1))
	bad := f.put(t, "specs/bad.yaml", []byte("colour: red\n"))
	for name, test := range map[string]struct {
		dataset, spec *blob.Artifact
		kind          churn.Kind
		want          string
	}{
		"digest":       {&blob.Artifact{Uri: whole.GetUri(), Sha256: other, Size: whole.GetSize()}, spec, churn.Invalid, "is not what the event names"},
		"digest alone": {&blob.Artifact{Uri: whole.GetUri(), Sha256: other}, spec, churn.Invalid, "is not what the event names"},
		"size":         {&blob.Artifact{Uri: whole.GetUri(), Sha256: whole.GetSha256(), Size: whole.GetSize() + 1}, spec, churn.Invalid, "is not what the event names"},
		"no object":    {&blob.Artifact{Uri: f.store.URI("datasets/none.csv")}, spec, churn.NotFound, "datasets/none.csv"},
		"other bucket": {&blob.Artifact{Uri: "s3://other/datasets/small.csv"}, spec, churn.Invalid, "s3://other"},
		"unclean path": {&blob.Artifact{Uri: f.store.URI("datasets/../small.csv")}, spec, churn.Invalid, "dataset"},
		"no dataset":   {nil, spec, churn.Invalid, "dataset"},
		"spec digest":  {whole, &blob.Artifact{Uri: spec.GetUri(), Sha256: other, Size: spec.GetSize()}, churn.Invalid, "is not what the event names"},
		"no spec":      {whole, &blob.Artifact{Uri: f.store.URI("specs/none.yaml")}, churn.NotFound, "specs/none.yaml"},
		"large spec":   {whole, big, churn.Invalid, "larger than the limit of 262144 bytes"},
		"bad spec":     {whole, bad, churn.Invalid, "field colour not found"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := f.handle(t.Context(), t, &eventv1.RetrainRequested{Dataset: test.dataset, Spec: test.spec})
			if err == nil || churn.KindOf(err) != test.kind || !strings.Contains(err.Error(), test.want) {
				t.Errorf("kind %v: %v\nwant %v: %s", churn.KindOf(err), err, test.kind, test.want)
			}
			if keys := f.keys(t, "runs/"); keys != nil {
				t.Errorf("it wrote %q", keys)
			}
		})
	}
}

// Data that changes under its name between two attempts does not become one run
// of two halves.
func TestDataThatChangesBetweenAttempts(t *testing.T) {
	f := newFeaturize()
	r := f.small(t, smallFile())
	r.Dataset = &blob.Artifact{Uri: r.GetDataset().GetUri()}
	f.mustHandle(t, r)
	f.store.Corrupt("datasets/small.csv", smallFile("z,a,1,no"))
	if _, err := f.handle(t.Context(), t, r); !churn.IsKind(err, churn.Conflict) {
		t.Errorf("kind %v: %v", churn.KindOf(err), err)
	}
}

// What the request leaves open is the configuration's, and then the spec's.
func TestNames(t *testing.T) {
	for _, test := range []struct {
		request, config       string
		wantModel, experiment string
	}{
		{"", "", "small-model", "small-experiment"},
		{"", "configured", "configured", "configured"},
		{"asked", "configured", "asked", "asked"},
		{"asked", "", "asked", "asked"},
	} {
		f := newFeaturize()
		f.defaults = Defaults{Model: test.config, Experiment: test.config}
		r := f.small(t, smallFile())
		r.Model, r.Experiment = test.request, test.request
		plan := f.mustHandle(t, r).GetPlan()
		if plan.GetModel() != test.wantModel || plan.GetExperiment() != test.experiment {
			t.Errorf("%+v: model %s, experiment %s", test, plan.GetModel(), plan.GetExperiment())
		}
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	f := newFeaturize()
	good := f.small(t, smallFile())
	untimed := requestEvent(good)
	untimed.Time = time.Time{}
	other := requestEvent(good)
	other.Data = &eventv1.FeaturesReady{}
	setting := proto.CloneOf(good)
	setting.Training = &eventv1.TrainingOverrides{NumLeaves: proto.Int32(1)}
	split := proto.CloneOf(good)
	split.Split = &eventv1.SplitOverrides{Test: proto.Float64(1)}
	for want, e := range map[string]event.Event{
		"the request has no time":                   untimed,
		"holds *eventv1.FeaturesReady, not Retrain": other,
		"num_leaves": requestEvent(setting),
		"split.test": requestEvent(split),
	} {
		_, err := New(f.store, objectstore.NewTracker(f.store), Defaults{}).Handle(t.Context(), e)
		if err == nil || !churn.IsKind(err, churn.Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("kind %v: %v\nwant %s", churn.KindOf(err), err, want)
		}
	}
}

const ownPolicy = "version: 1\nname: own\nrules:\n- {name: f1, holds: candidate.f1 > 0.5}\n"

// Every plan names the text of its policy, kept under its digest: that of the
// request, or the built-in one of the name.
func TestPolicy(t *testing.T) {
	refresh, _ := policy.BuiltIn(churn.Refresh)
	better, _ := policy.BuiltIn(churn.MustBeBetter)
	f := newFeaturize()
	named := f.put(t, "mine/own.yaml", []byte(ownPolicy))
	for name, test := range map[string]struct {
		gate *eventv1.GateOverrides
		want string
	}{
		"default":  {nil, string(refresh)},
		"name":     {&eventv1.GateOverrides{Policy: proto.String(churn.MustBeBetter)}, string(better)},
		"document": {&eventv1.GateOverrides{PolicyDocument: named}, ownPolicy},
		"URI":      {&eventv1.GateOverrides{PolicyDocument: &blob.Artifact{Uri: named.GetUri()}}, ownPolicy},
	} {
		r := f.small(t, smallFile())
		r.Gate = test.gate
		a := f.mustHandle(t, r).GetPlan().GetGate().GetPolicyDocument()
		if got := string(f.get(t, a)); got != test.want || a.GetUri() != f.store.URI(churn.PolicyKey(a.GetSha256())) {
			t.Errorf("%s: %v is\n%s", name, a, got)
		}
	}
	if keys := f.keys(t, "policies/"); len(keys) != 3 {
		t.Errorf("kept are %q", keys)
	}
}

// A policy that is not what the request names, or is wrong, fails the run before
// anything is computed.
func TestPoliciesThatAreRefused(t *testing.T) {
	f := newFeaturize()
	named := f.put(t, "mine/own.yaml", []byte(ownPolicy))
	for name, test := range map[string]struct {
		document *blob.Artifact
		kind     churn.Kind
		say      string
	}{
		"not there":    {&blob.Artifact{Uri: f.store.URI("mine/none.yaml")}, churn.NotFound, "mine/none.yaml"},
		"changed":      {&blob.Artifact{Uri: named.GetUri(), Sha256: strings.Repeat("0", 64)}, churn.Invalid, "is not what the event names"},
		"large":        {f.put(t, "mine/large.yaml", bytes.Repeat([]byte("#"), policy.MaxDocument+1)), churn.Invalid, "larger than the limit of 65536 bytes"},
		"wrong":        {f.put(t, "mine/wrong.yaml", []byte(strings.Replace(ownPolicy, "f1 >", "f2 >", 1))), churn.Invalid, "mine/wrong.yaml: policy.Parse: the policy own: rule f1"},
		"other bucket": {&blob.Artifact{Uri: "s3://other/own.yaml"}, churn.Invalid, "s3://other"},
	} {
		r := f.small(t, smallFile())
		r.Gate = &eventv1.GateOverrides{PolicyDocument: test.document}
		_, err := f.handle(t.Context(), t, r)
		if churn.KindOf(err) != test.kind || !strings.Contains(err.Error(), test.say) {
			t.Errorf("%s: kind %v: %v\nwant %v: %s", name, churn.KindOf(err), err, test.kind, test.say)
		}
	}
	if keys := f.keys(t, "runs/"); keys != nil {
		t.Errorf("it wrote %q", keys)
	}
}

// Files that are read rightly, whatever wrote them.
func TestGoodFiles(t *testing.T) {
	plain := newFeaturize()
	want := plain.mustHandle(t, plain.small(t, smallFile())).GetFeatures()
	for name, text := range map[string]string{
		"CRLF":            strings.ReplaceAll(string(smallFile()), "\n", "\r\n"),
		"CR":              strings.ReplaceAll(string(smallFile()), "\n", "\r"),
		"byte order mark": "\ufeff" + string(smallFile()),
		"quoted":          strings.NewReplacer(",a,", `,"a",`, "id,c", `"id","c"`).Replace(string(smallFile())),
		"mixed":           strings.Replace(string(smallFile()), "\n", "\r\n", 5),
		"blank lines":     strings.ReplaceAll(string(smallFile()), "\n", "\n\n"),
	} {
		t.Run(name, func(t *testing.T) {
			f := newFeaturize()
			got := f.mustHandle(t, f.small(t, []byte(text))).GetFeatures()
			if got.GetTable().GetSha256() != want.GetTable().GetSha256() || got.GetPreprocessor().GetSha256() != want.GetPreprocessor().GetSha256() {
				t.Errorf("%v, want %v", got, want)
			}
		})
	}
	t.Run("quoted newlines", func(t *testing.T) {
		f := newFeaturize()
		d := f.profile(t, f.mustHandle(t, f.small(t, smallFile("k0,\"x\ny\",1,no"))))
		if i := slices.IndexFunc(d.Columns[0].Categories, func(c profile.Category) bool { return c.Name == "x\ny" }); i < 0 {
			t.Errorf("categories %+v", d.Columns[0].Categories)
		}
	})
}

// Files that are not: the message says what is wrong and where, and nothing is
// written.
func TestBadFiles(t *testing.T) {
	one := strings.NewReplacer(",yes", ",no").Replace(string(smallFile()))
	for name, test := range map[string]struct{ text, want string }{
		"empty":               {"", "the file is empty"},
		"header only":         {"id,c,n,y\n", "line 1: the file ends after its header: there are no rows"},
		"missing column":      {strings.Replace(string(smallFile()), "id,c,n,y", "id,c,m,y", 1), "line 1: the header lacks the column n"},
		"duplicate column":    {strings.Replace(string(smallFile()), "id,c,n,y", "id,c,n,N", 1), `line 1: column "N" is there twice, as column 3 and column 4`},
		"short row":           {string(smallFile("z,a,1")), "line 42: the row ends before column y"},
		"long row":            {string(smallFile("z,a,1,no,x")), "line 42, byte 10: the row goes on behind the last column, y"},
		"one class":           {one, `column y: no row up to line 41 is "yes"`},
		"one class in a part": {"id,c,n,y\n1,a,1,yes\n2,a,1,no\n", `column y: none of the 1 rows with`},
		"bad label":           {string(smallFile("z,a,1,maybe")), `line 42, byte 7, column y: the value is "maybe"`},
		"bad number":          {string(smallFile("z,a,1x,no")), `line 42, byte 5, column n: the value is "1x", which is not a number`},
		"NaN":                 {string(smallFile("z,a,NaN,no")), `line 42, byte 5, column n`},
		"infinity":            {string(smallFile("z,a,Inf,no")), `line 42, byte 5, column n`},
		"out of range":        {string(smallFile("z,a,101,no")), `line 42, byte 5, column n: the value is "101", which is above the largest allowed, 100`},
		"not UTF-8":           {string(smallFile("z,\xff,1,no")), "line 42, byte 3, column c: the value is not UTF-8"},
		"NUL byte":            {string(smallFile("z,\x00,1,no")), "line 42, byte 3, column c: a NUL byte"},
		"bad label, CRLF":     {strings.ReplaceAll(string(smallFile("z,a,1,maybe")), "\n", "\r\n"), "line 42, byte 7, column y"},
		"bad label, CR":       {strings.ReplaceAll(string(smallFile("z,a,1,maybe")), "\n", "\r"), "line 42, byte 7, column y"},
		"below a quoted line": {string(smallFile("z,\"a\nb\",1,no", "y,a,1,maybe")), "line 44, byte 7, column y"},
		"quote not closed":    {string(smallFile("z,\"a,1,no")), "line 42, byte 10, column c: a quote is out of place or not closed"},
		"bare quote":          {string(smallFile(`z,a"b,1,no`)), "line 42, byte 4, column c: a quote inside a field"},
		"a 10 MB field":       {string(smallFile("z," + strings.Repeat("a", 10<<20) + ",1,no")), "line 42, byte 1048577, column c: the record that begins on line 42 is longer than"},
		"very many columns":   {"id,c,n,y" + strings.Repeat(",x", 100_000), "line 1: the header has 100004 columns"},
		"very long header":    {"id,c,n,y," + strings.Repeat("x", 2<<20), "line 1, byte 1048577, column number 5"},
		"UTF-16":              {"\xff\xfei\x00d\x00", "line 1, byte 1, column number 1: the file is UTF-16: save it as UTF-8"},
		"gzip":                {"\x1f\x8b\x08\x00", "line 1, byte 1, column number 1: the file is compressed by gzip"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFeaturize()
			_, err := f.handle(t.Context(), t, f.small(t, []byte(test.text)))
			if err == nil || !churn.IsKind(err, churn.Invalid) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("kind %v: %.500v\nwant %s", churn.KindOf(err), err, test.want)
			}
			if keys := f.keys(t, "runs/"); keys != nil {
				t.Errorf("it wrote %q", keys)
			}
		})
	}
}

// source is a store whose objects are streams.
type source struct {
	blob.Store
	open func() io.Reader
}

func (s source) Open(ctx context.Context, a *blob.Artifact) (io.ReadCloser, error) {
	if strings.Contains(a.GetUri(), "/specs/") {
		return s.Store.Open(ctx, a)
	}
	return io.NopCloser(s.open()), nil
}

// When it is told to stop it stops, and nothing is left behind; nor is it when
// the connection breaks.
func TestInterrupted(t *testing.T) {
	f := newFeaturize()
	r := f.small(t, smallFile())
	r.Dataset = &blob.Artifact{Uri: r.GetDataset().GetUri(), Size: 1 << 40}
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		f.opened = source{f.store, func() io.Reader {
			return io.MultiReader(bytes.NewReader(smallFile()), readerFunc(func(p []byte) (int, error) { cancel(); return copy(p, "k,a,1,no\n"), nil }))
		}}
		if _, err := f.handle(ctx, t, r); !errors.Is(err, context.Canceled) || !churn.IsKind(err, churn.Transient) {
			t.Errorf("kind %v: %v", churn.KindOf(err), err)
		}
	})
	t.Run("broken", func(t *testing.T) {
		cause := churn.Errorf("s3.Open", churn.Transient, "connection reset by peer")
		f.opened = source{f.store, func() io.Reader { return io.MultiReader(bytes.NewReader(smallFile()), iotest.ErrReader(cause)) }}
		if _, err := f.handle(t.Context(), t, r); !errors.Is(err, cause) || !churn.IsKind(err, churn.Transient) {
			t.Errorf("kind %v: %v", churn.KindOf(err), err)
		}
	})
	if keys := f.keys(t, "runs/"); keys != nil {
		t.Errorf("it wrote %q", keys)
	}
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestNoTemporaryFolder(t *testing.T) {
	f := newFeaturize()
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "missing"))
	_, err := New(f.store, objectstore.NewTracker(f.store), Defaults{}).Handle(t.Context(), requestEvent(f.small(t, smallFile())))
	if !churn.IsKind(err, churn.Internal) || !strings.Contains(err.Error(), "TMPDIR") {
		t.Errorf("kind %v: %v", churn.KindOf(err), err)
	}
}

// However many rows there are, memory holds one row group, and the keys that it
// remembers.
func TestMemoryIsBounded(t *testing.T) {
	const rows = 200_000
	f := newFeaturize()
	r := f.small(t, smallFile())
	r.Dataset = &blob.Artifact{Uri: r.GetDataset().GetUri()}
	f.opened = source{f.store, func() io.Reader {
		n := 0
		var line bytes.Buffer
		return io.MultiReader(bytes.NewReader(smallFile()), readerFunc(func(p []byte) (int, error) {
			if line.Len() == 0 {
				if n == rows {
					return 0, io.EOF
				}
				fmt.Fprintf(&line, "customer %d,a,%d,no\n", n, n%100)
				n++
			}
			return line.Read(p)
		}))
	}}
	before, most := heap(), int64(0)
	ctx := stage.WithProgress(t.Context(), func(p stage.Progress) {
		if p.Done%50_000 == 0 {
			most = max(most, heap()-before)
		}
	})
	t.Setenv("TMPDIR", t.TempDir())
	out, err := New(f.opened, objectstore.NewTracker(f.store), Defaults{}).Handle(ctx, requestEvent(r))
	if err != nil {
		t.Fatal(err)
	}
	if n := out[0].Data.(*eventv1.FeaturesReady).GetFeatures(); n.GetTrainRows()+n.GetValidationRows()+n.GetHoldoutRows() != rows+40 {
		t.Errorf("%v", n)
	}
	if most == 0 || most > 48<<20 {
		t.Errorf("up to %d bytes are held", most)
	}
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestProgress(t *testing.T) {
	f := newFeaturize()
	f.mustHandle(t, &eventv1.RetrainRequested{Dataset: f.put(t, "datasets/telco.csv", telco(t))})
	if len(f.progress) != 2 {
		t.Fatalf("%+v", f.progress)
	}
	if p := f.progress[0]; p.Activity != "reading rows" || p.Done != 5000 || p.Total < 5000 || p.Total > 8000 {
		t.Errorf("%+v", p)
	}
	want := stage.Progress{Activity: "prepared", Done: 7043, Total: 7043, Tracking: strings.ReplaceAll(run, "-", "")}
	if p := f.progress[1]; p != want {
		t.Errorf("%+v, want %+v", p, want)
	}
}

func TestEstimate(t *testing.T) {
	for _, test := range []struct{ rows, read, size, want int64 }{
		{5000, 100, 0, 0}, {5000, 100, 100, 5000}, {5000, 100, 150, 7500}, {5000, 200, 100, 5000}, {1 << 40, 1 << 45, 1 << 46, 1 << 41},
	} {
		if got := estimate(test.rows, test.read, test.size); got != test.want {
			t.Errorf("%+v: %d", test, got)
		}
	}
}

func TestTracking(t *testing.T) {
	f := newFeaturize()
	r := f.small(t, smallFile())
	r.GitSha, r.RequestedBy, r.Reason = "abc123", "me", "why"
	r.Training = &eventv1.TrainingOverrides{NumLeaves: proto.Int32(7)}
	ready := f.mustHandle(t, r)
	keys := f.keys(t, "tracking/")
	if len(keys) != 1 {
		t.Fatalf("%q", keys)
	}
	a, err := f.store.Stat(t.Context(), keys[0])
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Experiment, Stage string
		Started           time.Time
		Tags, Params      map[string]string
		Artifacts         map[string]*blob.Artifact
	}
	if err := json.Unmarshal(f.get(t, a), &got); err != nil {
		t.Fatal(err)
	}
	if got.Experiment != "small-experiment" || got.Stage != "featurizer" || !got.Started.Equal(requestedAt) {
		t.Errorf("%+v", got)
	}
	for name, want := range map[string]string{
		"git_sha": "abc123", "timestamp": "2026-03-04T05:06:07Z", "requested_by": "me", "reason": "why",
	} {
		if got.Tags[name] != want {
			t.Errorf("tag %s is %q, want %q", name, got.Tags[name], want)
		}
	}
	plan := ready.GetPlan()
	settings := 7 // beside those of the three messages, of which the policy's document is told by its digest
	for _, m := range []proto.Message{plan.GetSplit(), plan.GetTraining(), plan.GetGate()} {
		settings += m.ProtoReflect().Descriptor().Fields().Len()
	}
	for name, want := range map[string]string{
		"model": "small-model", "split_test": "0.3", "split_salt": "", "training_num_leaves": "7", "training_seed": "42", "gate_min_auc": "0.82",
		"gate_baseline_stage": "Production", "gate_dry_run": "false", "dataset_sha256": plan.GetDataset().GetSha256(),
		"spec_sha256": plan.GetSpec().GetSha256(), "dataset_uri": plan.GetDataset().GetUri(),
		"policy_sha256": plan.GetGate().GetPolicyDocument().GetSha256(),
		"train_rows":    fmt.Sprint(ready.GetFeatures().GetTrainRows()),
	} {
		if v, ok := got.Params[name]; v != want || !ok {
			t.Errorf("param %s is %q, want %q", name, v, want)
		}
	}
	if len(got.Params) != settings {
		t.Errorf("%d params, want %d: %v", len(got.Params), settings, got.Params)
	}
	if !proto.Equal(got.Artifacts[churn.ProfileJSON], ready.GetFeatures().GetProfile()) || len(got.Artifacts) != 3 {
		t.Errorf("artifacts %v", got.Artifacts)
	}
}

func TestBuild(t *testing.T) {
	f := newFeaturize()
	s, err := Build(t.Context(), service.Parts{
		Config: config.Config{Model: "configured", Experiment: "tried"}, Store: f.store, Tracker: objectstore.NewTracker(f.store),
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.Service != churn.Featurizer || !slices.Equal(s.Topics, []churn.Topic{churn.RetrainRequested}) || s.Ordered || s.Tables != nil {
		t.Errorf("%+v", s)
	}
	out, err := s.Handler.Handle(t.Context(), requestEvent(f.small(t, smallFile())))
	if err != nil {
		t.Fatal(err)
	}
	if plan := out[0].Data.(*eventv1.FeaturesReady).GetPlan(); plan.GetModel() != "configured" || plan.GetExperiment() != "tried" {
		t.Errorf("%v", plan)
	}
}
