package flavor

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"time"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/feature"
	"github.com/asfotec/churn/pkg/gbdt/leaves"
)

// ArtifactPath is the folder's place among the artifacts of its MLflow run.
const ArtifactPath = "model"

// Where the parts of a folder are in it.
const (
	codeFolder       = "code"
	dataFolder       = "data"
	modelFile        = dataFolder + "/model.txt"
	preprocessorFile = dataFolder + "/preprocessor.json"
	operatingFile    = dataFolder + "/operating_point.json"
	condaFile        = "conda.yaml"
	pythonFile       = "python_env.yaml"
	requirementsFile = "requirements.txt"
	exampleFile      = "input_example.json"
	servingFile      = "serving_input_example.json"
	mlmodelFile      = "MLmodel"
)

//go:embed conda.yaml python_env.yaml requirements.txt
var environments embed.FS

//go:embed loader.py
var loader []byte

// loaderModule is the loader's name. Python keeps a module for as long as the
// process lives, so that models with two loaders need two names.
var loaderModule = func() string {
	sum := sha256.Sum256(loader)
	return "churn_loader_" + hex.EncodeToString(sum[:4])
}()

// File is one file of a model folder.
type File struct {
	Path string // from the folder, with slashes
	Data []byte
}

// Model is what a folder is made from.
type Model struct {
	Run          string    // the pipeline's id of the run
	TrackingRun  string    // MLflow's id of it
	Created      time.Time // of the request
	ModelText    []byte    // model.txt
	Preprocessor []byte    // preprocessor.json, as the featurizer wrote it
	Threshold    float64   // scores of at least so much are labelled as positive
}

// Files returns the folder's files, MLmodel last; the same bytes for the same
// Model. The data are shared: they are not to be changed. A model text and a
// preprocessor that are not sound, or do not go together, are an Invalid error.
func Files(m Model) ([]File, error) {
	const op = "flavor.Files"
	p, err := m.check()
	if err != nil {
		return nil, churn.E(op, churn.Invalid, err)
	}
	operating, err := asciiJSON(map[string]float64{"threshold": m.Threshold})
	if err != nil {
		return nil, churn.E(op, churn.Invalid, err)
	}
	files := []File{
		{codeFolder + "/" + loaderModule + ".py", loader},
		{modelFile, m.ModelText},
		{preprocessorFile, m.Preprocessor},
		{operatingFile, operating},
	}
	for _, name := range []string{condaFile, pythonFile, requirementsFile} {
		text, err := environments.ReadFile(name)
		if err != nil {
			return nil, churn.E(op, churn.Internal, err)
		}
		files = append(files, File{name, text})
	}
	rows := example(p)
	text, err := asciiJSON(rows)
	if err != nil {
		return nil, churn.E(op, churn.Internal, err)
	}
	request, err := asciiJSON(map[string]split{"dataframe_split": rows})
	if err != nil {
		return nil, churn.E(op, churn.Internal, err)
	}
	files = append(files, File{exampleFile, text}, File{servingFile, request})
	description, err := m.describe(p, files)
	if err != nil {
		return nil, churn.E(op, churn.Internal, err)
	}
	return append(files, File{mlmodelFile, description}), nil
}

// check returns the preprocessor of a model that can be given to MLflow's users.
// LightGBM trusts a model text, so it is checked here. A preprocessor that is
// spelled otherwise than JSON spells it might be another to Python than to Go.
func (m Model) check() (*feature.Preprocessor, error) {
	const op = "flavor.check"
	p, err := feature.Parse(m.Preprocessor)
	if err != nil {
		return nil, err
	}
	if text, err := p.JSON(); err != nil || !bytes.Equal(text, m.Preprocessor) {
		return nil, churn.Errorf(op, churn.Invalid, "the preprocessor is not spelled as the featurizer spells it")
	}
	model, err := leaves.Load(m.ModelText)
	if err != nil {
		return nil, err
	}
	if got, want := len(model.Features()), len(p.Features); got != want {
		return nil, churn.Errorf(op, churn.Invalid, "the model text takes %d features; the preprocessor makes %d", got, want)
	}
	return p, nil
}
