package featurizer

import (
	"bytes"
	"context"
	"io"

	"golang.org/x/sync/errgroup"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/dataset"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

const (
	mediaJSON    = "application/json"
	mediaParquet = "application/vnd.apache.parquet"
)

// write puts every artifact, all at once.
func (f *Featurizer) write(ctx context.Context, run string, p *prepared) (*eventv1.FeatureSet, error) {
	out := eventv1.FeatureSet{
		TrainRows: p.counts[dataset.Train], ValidationRows: p.counts[dataset.Validation], HoldoutRows: p.counts[dataset.Holdout],
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, put := range []struct {
		name, media string
		body        io.ReadSeeker
		to          **blob.Artifact
	}{
		{churn.FeaturesTable, mediaParquet, p.table, &out.Table},
		{churn.PreprocessorJSON, mediaJSON, bytes.NewReader(p.preprocessor), &out.Preprocessor},
		{churn.ProfileJSON, mediaJSON, bytes.NewReader(p.profile), &out.Profile},
	} {
		group.Go(func() (err error) {
			*put.to, err = f.store.Put(ctx, churn.ArtifactKey(run, churn.Featurizer, put.name), put.media, put.body)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return &out, nil
}
