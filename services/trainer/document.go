package trainer

import (
	"github.com/asfotec/churn/pkg/gbdt/lightgbm"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// DocumentVersion is the version of training.json's shape. A change that a
// reader would stumble over is a new version.
const DocumentVersion = 1

// Document is training.json: what a model was trained with and how it went. It
// holds nothing that is different when the training is repeated: no times, no
// number of threads.
type Document struct {
	Version            int             `json:"version"`
	Model              string          `json:"model"`
	Run                string          `json:"run"`
	Trial              int32           `json:"trial"`
	Trials             int32           `json:"trials"`
	Rung               int32           `json:"rung,omitempty"`
	Engine             Engine          `json:"engine"`
	FeaturesSHA256     string          `json:"features_sha256"`
	PreprocessorSHA256 string          `json:"preprocessor_sha256"`
	Features           int             `json:"features"` // inputs of the model
	Rows               Rows            `json:"rows"`
	Parameters         lightgbm.Params `json:"parameters"`
	Machines           int             `json:"machines,omitempty"` // that trained together, if it was not one
	Metric             string          `json:"metric"`             // that early stopping goes by
	BestIteration      int             `json:"best_iteration"`
	Validation         History         `json:"validation"`
	FoldsAUC           []float64       `json:"folds_auc,omitempty"` // of each fold of cross-validation
	ModelSHA256        string          `json:"model_sha256"`
	TreesSHA256        string          `json:"trees_sha256"`
}

// Engine is what trained.
type Engine struct {
	Name          string `json:"name"`
	Version       string `json:"version"`
	LibrarySHA256 string `json:"library_sha256"`
}

// Rows are the rows of each split that a training sees.
type Rows struct {
	Train      int `json:"train"`
	Validation int `json:"validation"`
}

// History is each metric after each iteration, from the first, also of those
// that were given up.
type History struct {
	AUC     []float64 `json:"auc"`
	LogLoss []float64 `json:"binary_logloss"`
}

// document returns training.json but for the digests of the model.
func (t *Trainer) document(run string, ready *eventv1.FeaturesReady, in *input, r *lightgbm.Result) *Document {
	d := &Document{
		Version: DocumentVersion,
		Model:   ready.GetPlan().GetModel(),
		Run:     run,
		Trial:   ready.GetTrial(),
		Trials:  ready.GetTrials(),
		Rung:    ready.GetRung(),
		Engine: Engine{
			Name: "lightgbm", Version: lightgbm.Version, LibrarySHA256: t.pool.LibrarySHA256(),
		},
		FeaturesSHA256:     ready.GetFeatures().GetTable().GetSha256(),
		PreprocessorSHA256: ready.GetFeatures().GetPreprocessor().GetSha256(),
		Features:           len(in.preprocessor.Features),
		Rows:               Rows{in.rows[lightgbm.Train], in.rows[lightgbm.Validation]},
		Parameters:         lightgbm.ParamsOf(settings(ready)),
		Machines:           int(ready.GetPlan().GetMachines()),
		Metric:             "binary_logloss",
		BestIteration:      r.Iterations,
	}
	for _, i := range r.History {
		d.Validation.AUC = append(d.Validation.AUC, i.AUC)
		d.Validation.LogLoss = append(d.Validation.LogLoss, i.LogLoss)
	}
	return d
}

// foldsAUC returns the mean over the folds, 0 without any.
func (d *Document) foldsAUC() float64 {
	if len(d.FoldsAUC) == 0 {
		return 0
	}
	sum := 0.0
	for _, auc := range d.FoldsAUC {
		sum += auc
	}
	return sum / float64(len(d.FoldsAUC))
}
