package trainer

import (
	"bytes"
	"context"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/feature"
	"github.com/asfotec/churn/pkg/gbdt/lightgbm"
	"github.com/asfotec/churn/pkg/jsonfile"
	"github.com/asfotec/churn/pkg/shap"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// folder is where a training's artifacts lie: each trial of several has its own.
type folder struct {
	run   string
	trial string // and its rung; empty if there is only one
}

func folderOf(run string, ready *eventv1.FeaturesReady) folder {
	if ready.GetTrials() == 1 {
		return folder{run: run}
	}
	trial := "trial-" + strconv.Itoa(int(ready.GetTrial()))
	if ready.GetRung() > 0 {
		trial += "-rung-" + strconv.Itoa(int(ready.GetRung()))
	}
	return folder{run, trial}
}

func (f folder) key(name string) string {
	return churn.ArtifactKey(f.run, churn.Trainer, f.trial, name)
}

// files are the artifacts' bytes.
type files struct {
	model, training, importances, plot, scores, contributions []byte
}

// describe makes the document and every file.
func (t *Trainer) describe(run string, ready *eventv1.FeaturesReady, in *input, r *lightgbm.Result, folds []float64) (*Document, *files, error) {
	d := t.document(run, ready, in, r)
	d.FoldsAUC = folds
	out := &files{model: r.Model}
	var err error
	if d.ModelSHA256, err = blob.Sum(bytes.NewReader(r.Model)); err != nil {
		return nil, nil, churn.E("trainer.describe", churn.Internal, err)
	}
	if d.TreesSHA256, err = lightgbm.TreesSHA256(r.Model); err != nil {
		return nil, nil, err
	}
	i := importances(in.preprocessor, r.Importances)
	c, err := shap.Summarize(in.preprocessor, in.first, r.Contributions)
	if err != nil {
		return nil, nil, err
	}
	var group errgroup.Group
	group.Go(func() (err error) { out.training, err = jsonfile.Encode(d); return err })
	group.Go(func() (err error) { out.importances, err = jsonfile.Encode(i); return err })
	group.Go(func() (err error) { out.plot, err = plotImportances(i); return err })
	group.Go(func() (err error) { out.scores, err = scores(in.reference, r.Scores); return err })
	group.Go(func() (err error) { out.contributions, err = c.JSON(); return err })
	return d, out, group.Wait()
}

// scores returns reference_scores.parquet.
func scores(rows []int64, scores []float64) ([]byte, error) {
	out := make([]feature.Score, len(rows))
	for i, row := range rows {
		out[i] = feature.Score{Row: row, Score: scores[i]}
	}
	return feature.EncodeScores(out)
}

const (
	mediaText    = "text/plain; charset=utf-8"
	mediaJSON    = "application/json"
	mediaPNG     = "image/png"
	mediaParquet = "application/vnd.apache.parquet"
)

// write puts every file, all at once.
func (t *Trainer) write(ctx context.Context, in folder, f *files) (*eventv1.TrainedModel, error) {
	var out eventv1.TrainedModel
	group, ctx := errgroup.WithContext(ctx)
	for _, put := range []struct {
		name, media string
		body        []byte
		to          **blob.Artifact
	}{
		{churn.ModelText, mediaText, f.model, &out.Model},
		{churn.TrainingJSON, mediaJSON, f.training, &out.Training},
		{churn.ImportancesJSON, mediaJSON, f.importances, &out.Importances},
		{churn.ImportancesPNG, mediaPNG, f.plot, &out.ImportancesPlot},
		{churn.ReferenceScores, mediaParquet, f.scores, &out.ReferenceScores},
		{churn.Contributions, mediaJSON, f.contributions, &out.Contributions},
	} {
		group.Go(func() (err error) {
			*put.to, err = t.store.Put(ctx, in.key(put.name), put.media, bytes.NewReader(put.body))
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return &out, nil
}
