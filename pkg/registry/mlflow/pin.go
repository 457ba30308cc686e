package mlflow

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path"
	"regexp"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/registry"
	"github.com/asfotec/churn/pkg/stage/fault"
)

// MLflow makes a run as often as it is asked to, and orders them by nothing but
// what the client says. So the first to be noted in the object store, by a
// conditional write, is the one. A note holds for as long as the run is there:
// after that (it was deleted, or the server is another) the next note does.

// maxPins bounds how often a run may have been made anew.
const maxPins = 1000

type pin struct {
	Run string `json:"mlflow_run_id"`
}

// A run's id, as MLflow defines it.
var runID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,255}$`)

func pinKey(r registry.Run, n int) string {
	return path.Join("tracking", r.Experiment, r.Run, "mlflow", r.Trial, fmt.Sprintf("%010d.json", n))
}

// pinned returns the id of the n-th note, or NotFound.
func (s *runs) pinned(ctx context.Context, r registry.Run, n int) (string, error) {
	const op = "mlflow.pinned"
	key := pinKey(r, n)
	if n > maxPins {
		return "", churn.Errorf(op, churn.Internal, "%s: the run was made and lost too often", s.store.URI(key))
	}
	a, err := s.store.Stat(ctx, key)
	if err != nil {
		return "", err
	}
	text, err := s.store.Get(ctx, a, 1<<10)
	if err != nil {
		return "", settled(op, err)
	}
	var p pin
	if json.Unmarshal(text, &p) != nil || !runID.MatchString(p.Run) {
		return "", churn.Errorf(op, churn.Internal, "%s does not name an MLflow run: remove it", a.GetUri())
	}
	return p.Run, nil
}

// pin notes the id as the n-th and returns it, or the one that another was
// faster with.
func (s *runs) pin(ctx context.Context, r registry.Run, n int, id string) (string, error) {
	const op = "mlflow.pin"
	text, err := json.Marshal(pin{id})
	if err != nil {
		return "", churn.E(op, churn.Internal, err)
	}
	fault.Point("mlflow.pin" + r.Trial + ".before")
	_, err = s.store.Put(ctx, pinKey(r, n), "application/json", bytes.NewReader(append(text, '\n')))
	if churn.IsKind(err, churn.Conflict) {
		return s.pinned(ctx, r, n)
	}
	return id, err
}
