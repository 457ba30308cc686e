package evaluator

import (
	"bytes"
	"context"
	"io"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// folder is where an evaluation's artifacts lie: a later round beside the first.
type folder struct {
	run   string
	round int32
}

func (f folder) key(name string) string {
	if f.round == 0 {
		return churn.ArtifactKey(f.run, churn.Evaluator, name)
	}
	return churn.ArtifactKey(f.run, churn.Evaluator, "round-"+strconv.Itoa(int(f.round)), name)
}

// files are the artifacts' bytes. Close them.
type files struct {
	evaluation, roc, pr, calibration, report []byte

	scores *blob.Temporary
}

func (f *files) close() {
	if f.scores != nil {
		_ = f.scores.Close()
	}
}

const (
	mediaJSON    = "application/json"
	mediaPNG     = "image/png"
	mediaParquet = "application/vnd.apache.parquet"
	mediaHTML    = "text/html; charset=utf-8"
)

// write puts every file, all at once.
func (v *Evaluator) write(ctx context.Context, in folder, f *files) (*eventv1.Evaluation, error) {
	var out eventv1.Evaluation
	group, ctx := errgroup.WithContext(ctx)
	for _, put := range []struct {
		name, media string
		body        io.ReadSeeker
		to          **blob.Artifact
	}{
		{churn.EvaluationJSON, mediaJSON, bytes.NewReader(f.evaluation), &out.Evaluation},
		{churn.ScoresTable, mediaParquet, f.scores, &out.Scores},
		{churn.ROCPlot, mediaPNG, bytes.NewReader(f.roc), &out.RocPlot},
		{churn.PRPlot, mediaPNG, bytes.NewReader(f.pr), &out.PrPlot},
		{churn.CalibrationPlot, mediaPNG, bytes.NewReader(f.calibration), &out.CalibrationPlot},
		{churn.ReportHTML, mediaHTML, bytes.NewReader(f.report), &out.Report},
	} {
		group.Go(func() (err error) {
			*put.to, err = v.store.Put(ctx, in.key(put.name), put.media, put.body)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return &out, nil
}
