package doctor

import (
	"context"

	"github.com/asfotec/churn/pkg/config"
	"github.com/asfotec/churn/pkg/registry"
)

// Registry checks whether the model registry answers and lets this program in.
func Registry(c config.Config, r registry.Registry) Check {
	return Check{"registry", func(ctx context.Context) Finding {
		if err := r.Ping(ctx); err != nil {
			return fail(err)
		}
		if c.TrackingURI == "" {
			return ok("in the object store")
		}
		found := "MLflow at " + c.TrackingURI
		if v, is := r.(interface {
			ServerVersion(context.Context) (string, error)
		}); is {
			if version, err := v.ServerVersion(ctx); err == nil { // not all that answer tell
				found += ", version " + version
			}
		}
		return ok("%s", found)
	}}
}
