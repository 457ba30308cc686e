package mlflow

import (
	"context"
	"net/http"
	"regexp"
	"strings"

	"github.com/asfotec/churn/pkg/churn"
)

var versionText = regexp.MustCompile(`^[0-9][0-9A-Za-z.+-]{0,31}$`)

// ServerVersion returns the version of MLflow that the server runs. Servers that
// are not MLflow's own may not tell.
func (r *Registry) ServerVersion(ctx context.Context) (string, error) {
	const op, path = "mlflow.ServerVersion", "version"
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	c := r.runs.client
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/"+path, nil)
	if err != nil {
		return "", churn.E(op, churn.Internal, err)
	}
	body, err := c.send(path, req)
	if err != nil {
		return "", err
	}
	version := strings.TrimSpace(string(body))
	if !versionText.MatchString(version) {
		return "", churn.Errorf(op, churn.Internal, "MLflow at %s answers %s with what is none", c.base, path)
	}
	return version, nil
}
