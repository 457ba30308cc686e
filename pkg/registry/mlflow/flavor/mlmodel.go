package flavor

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"unicode/utf16"

	"github.com/google/uuid"
	"go.yaml.in/yaml/v3"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/feature"
)

// Versions that the environment files ask for. That of LightGBM is the one that
// trains: package lightgbm would bring its native code into every program that
// registers.
const (
	python   = "3.11"
	lightGBM = "4.7.0"
)

// mlmodel is the MLmodel file.
type mlmodel struct {
	ArtifactPath string    `yaml:"artifact_path"`
	Flavors      flavors   `yaml:"flavors"`
	Metadata     metadata  `yaml:"metadata"`
	Size         int64     `yaml:"model_size_bytes"` // of the other files
	UUID         string    `yaml:"model_uuid"`
	Run          string    `yaml:"run_id"`
	Example      input     `yaml:"saved_input_example_info"`
	Signature    signature `yaml:"signature"`
	Created      string    `yaml:"utc_time_created"`
}

type flavors struct {
	LightGBM booster  `yaml:"lightgbm"`
	Python   function `yaml:"python_function"`
}

type booster struct {
	Code    *string `yaml:"code"`
	Data    string  `yaml:"data"`
	Class   string  `yaml:"model_class"`
	Version string  `yaml:"lgb_version"`
}

type function struct {
	Code   string      `yaml:"code"`
	Data   string      `yaml:"data"` // what _load_pyfunc is given
	Env    environment `yaml:"env"`
	Loader string      `yaml:"loader_module"`
	Python string      `yaml:"python_version"`
}

type environment struct {
	Conda      string `yaml:"conda"`
	Virtualenv string `yaml:"virtualenv"`
}

// metadata says where the model comes from: ModelService answers with the same
// digests.
type metadata struct {
	Run                string `yaml:"churn_run"`
	ModelSHA256        string `yaml:"model_sha256"`
	PreprocessorSHA256 string `yaml:"preprocessor_sha256"`
}

type input struct {
	Path    string `yaml:"artifact_path"`
	Orient  string `yaml:"pandas_orient"`
	Serving string `yaml:"serving_input_path"`
	Type    string `yaml:"type"`
}

// signature holds JSON in strings, as MLflow wants it.
type signature struct {
	Inputs  string  `yaml:"inputs"`
	Outputs string  `yaml:"outputs"`
	Params  *string `yaml:"params"`
}

// column is MLflow's ColSpec.
type column struct {
	Type     string `json:"type"`
	Name     string `json:"name"`
	Required bool   `json:"required"`
}

// describe returns the MLmodel file of a folder of the files.
func (m Model) describe(p *feature.Preprocessor, files []File) ([]byte, error) {
	s, err := sign(p)
	if err != nil {
		return nil, err
	}
	id := uuid.NewSHA1(churn.Namespace, []byte("mlflow-model:"+m.Run))
	d := mlmodel{
		ArtifactPath: ArtifactPath,
		Flavors: flavors{
			LightGBM: booster{Data: modelFile, Class: "lightgbm.basic.Booster", Version: lightGBM},
			Python: function{
				Code: codeFolder, Data: dataFolder, Loader: loaderModule, Python: python,
				Env: environment{Conda: condaFile, Virtualenv: pythonFile},
			},
		},
		Metadata:  metadata{m.Run, digest(m.ModelText), digest(m.Preprocessor)},
		UUID:      hex.EncodeToString(id[:]),
		Run:       m.TrackingRun,
		Example:   input{exampleFile, "split", servingFile, "dataframe"},
		Signature: s,
		Created:   m.Created.UTC().Format("2006-01-02 15:04:05.000000"),
	}
	for _, f := range files {
		d.Size += int64(len(f.Data))
	}
	return yaml.Marshal(d)
}

// sign returns the signature: what goes in is the raw columns, each of which
// ModelService wants, too.
//
// MLflow refuses a column of whole numbers where numbers with a fraction are
// declared, numbers where text is, and text where numbers are; raw rows come in
// any of these forms, as pandas or JSON has them. So the inputs are of any
// type, and the loader checks them.
func sign(p *feature.Preprocessor) (s signature, err error) {
	var in []column
	for _, c := range p.Columns {
		in = append(in, column{"any", c.Name, true})
	}
	inputs, err := asciiJSON(in)
	if err != nil {
		return s, err
	}
	outputs, err := asciiJSON([]column{{"double", "probability", true}, {"string", "label", true}})
	return signature{Inputs: string(inputs), Outputs: string(outputs)}, err
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// asciiJSON returns v's JSON in ASCII, as Python spells it: names may hold
// characters that a YAML parser refuses.
func asciiJSON(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	for _, r := range string(text) {
		if r < 0x7f {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.Bytes(), nil
}
